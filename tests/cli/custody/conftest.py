"""Provides places of backups. Each backup is one of restic, which takes 3 s to make a place: so one is copied."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.files.restic import Repository
from adapters.settings.settings import Settings
from tests.installations import installed

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def made_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an empty place of backups, `place`, and the secrets of an installation that opens it."""
    top = tmp_path_factory.mktemp("made")
    (top / "place").mkdir()
    with installed(top):
        Repository(str(top / "place")).make()
    return top


@pytest.fixture
def place(tmp_path: Path, made_place: Path) -> Path:
    """Return an empty place of backups. The installation in `old` has its password."""
    shutil.copytree(made_place / "data", tmp_path / "old" / "data")
    return Path(shutil.copytree(made_place / "place", tmp_path / "backups"))


def nothing(_part: str, _share: float) -> None:
    """Take the progress."""


@contextmanager
def elsewhere(folder: Path, **values: object) -> Iterator[Settings]:
    """Give this process an empty installation that has the password of the backups of the one in `old`."""
    (folder / "data" / "secrets").mkdir(parents=True, mode=0o700)
    (folder / "data").chmod(0o700)
    shutil.copy(folder.parent / "old" / "data" / "secrets" / "backup", folder / "data" / "secrets" / "backup")
    with installed(folder, **values) as made:
        yield made
