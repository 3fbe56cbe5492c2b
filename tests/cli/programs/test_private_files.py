"""Keeps cellar's files private to their owner under any umask, and exports files under the user's umask."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.files.private import shut_folders
from adapters.settings.settings import Settings
from tests.conftest import LONGEST_S
from tests.installations import archived
from tests.samples import sample_body

CELLAR = str(Path(sys.executable).with_name("cellar"))


def cellar(*arguments: str, umask: int = 0o022) -> None:
    subprocess.run([CELLAR, *arguments], umask=umask, capture_output=True, timeout=LONGEST_S, check=True)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("configure")
def test_new_data_folder_and_database_are_private_to_their_owner(tmp_path: Path) -> None:
    cellar("migrate")

    found = {path.relative_to(tmp_path): mode(path) for path in [tmp_path / "data", *(tmp_path / "data").rglob("*")]}
    assert found == {Path("data"): 0o700, Path("data/cellar.db"): 0o600}


@pytest.mark.usefixtures("open_umask")
def test_existing_folders_and_database_become_private(sqlite_installation: Settings) -> None:
    archived("process-1", sample_body("process-1"))
    data, store = sqlite_installation.data_dir, Path(sqlite_installation.store_location)
    assert (mode(data), mode(store)) == (0o755, 0o755)

    cellar("migrate")

    assert (mode(data), mode(store), mode(data / "inbox")) == (0o700, 0o700, 0o700)
    assert {mode(path) for path in data.glob("cellar.db*")} == {0o600}


def test_world_writable_folder_keeps_its_mode(sqlite_installation: Settings, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)

    shut_folders(sqlite_installation.model_copy(update={"inbox_url": str(shared)}))

    assert mode(shared) == 0o1777


@pytest.mark.usefixtures("sqlite_installation")
def test_exports_have_the_modes_of_the_users_umask(tmp_path: Path) -> None:
    archived("process-1", sample_body("process-1"))

    for to in (["bag"], ["bag.zip"], ["raw", "--raw"]):
        cellar("export", "process-1", "--to", *to, umask=0o027)
    cellar("export-table", "payments", "--to", "payments.parquet", umask=0o027)

    files = [path for path in (tmp_path / "bag").rglob("*") if path.is_file()]
    files += [tmp_path / name for name in ("bag.zip", "raw", "payments.parquet")]
    assert {mode(path) for path in files} == {0o640}
    assert mode(tmp_path / "bag" / "data") == 0o750
