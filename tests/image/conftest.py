"""Builds the image once for all its tests."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.image.building import Image, build, remove


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    with TemporaryDirectory(prefix="cellar-image-", ignore_cleanup_errors=True) as folder:
        try:
            yield build(Path(folder))
        finally:
            remove(Path(folder))
