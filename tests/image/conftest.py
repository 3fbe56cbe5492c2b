"""Builds the images once for all its tests."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.image.building import Image, build, remove


@pytest.fixture(scope="session")
def images() -> Iterator[tuple[Image, Image]]:
    with TemporaryDirectory(prefix="cellar-image-", ignore_cleanup_errors=True) as folder:
        try:
            yield build(Path(folder))
        finally:
            remove(Path(folder))


@pytest.fixture(scope="session")
def image(images: tuple[Image, Image]) -> Image:
    return images[0]


@pytest.fixture(scope="session")
def lake_image(images: tuple[Image, Image]) -> Image:
    return images[1]
