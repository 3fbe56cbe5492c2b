"""Keeps the files of a whole installation private to their owner, under a umask that lets others read."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import wait_until
from tests.end_to_end.conftest import cellar, new_installation, up_in
from tests.samples import sample_body


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    """Start programs with a umask that lets others read."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_everything_in_the_data_folder_is_private_to_its_owner(tmp_path: Path) -> None:
    installation = new_installation(tmp_path)
    with up_in(installation):
        installation.send(sample_body("kept"))
        installation.send(b'{"reference": 1}')
        installation.read_until("kept", lambda archive: archive.get("state") == "completed")
        wait_until(lambda: any((tmp_path / "data/inbox/quarantine").iterdir()))
        assert cellar(installation, "verify").returncode == 0
        while_up = open_to_others(tmp_path / "data")

    assert while_up == open_to_others(tmp_path / "data") == []
    kept = {path.name for path in (tmp_path / "data").iterdir()}
    assert kept >= {"inbox", "store", "secrets", "logs", "prefect", "cellar.db"}


def open_to_others(folder: Path) -> list[str]:
    """Return the paths that others may read, write or enter. Files that disappear during the search are skipped."""
    found = []
    for path in [folder, *folder.rglob("*")]:
        try:
            bits = stat.S_IMODE(path.lstat().st_mode)
        except FileNotFoundError:
            continue
        if bits & 0o077:
            found.append(f"{path.relative_to(folder)} {bits:o}")
    return found
