"""The secrets of a new installation, made once for all tests of `deploy/`."""

from pathlib import Path

import pytest

from tests.deploy.forms import made_secrets


@pytest.fixture(scope="session")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_secrets(tmp_path_factory.mktemp("made") / "secrets")
