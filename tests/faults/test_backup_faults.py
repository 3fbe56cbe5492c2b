"""Backups and restores that are killed, or whose disk is full: nothing is lost, and nothing unfinished counts.

Needs root, to mount small disks.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.files.restic import Repository
from adapters.inbox import restore_mark
from adapters.settings.settings import settings
from models.errors import WrongUse
from models.store.backup import Restored
from models.store.restoring import Mark
from services.backups.making import back_up
from tests.cli.custody.conftest import elsewhere, nothing
from tests.cli.custody.filled import acknowledged
from tests.conftest import make_tables
from tests.faults.breaking import small_disk
from tests.installations import archived, installed
from tests.samples import sample_body

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]

_TIMES = 50
"""Of each, backups and restores."""
_ARCHIVES = 12


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A place with a backup of an installation in `old`, which has archives, and a body that waits."""
    for each in ("backups", "old"):
        (tmp_path / each).mkdir()
    with installed(tmp_path / "old"):
        make_tables()
        for number in range(_ARCHIVES):
            archived(f"a-{number}", sample_body(f"a-{number}"))
        acknowledged("waits", sample_body("waits"))
        back_up(str(tmp_path / "backups"), datetime.now(UTC), nothing)
    return tmp_path / "backups"


def killed_or_ended(command: list[str], data: Path, after_s: float) -> int:
    """Run a command with all its children, kill all of them at once after a time, and return how it ended."""
    environment = {name: each for name, each in os.environ.items() if not name.startswith("CELLAR_")}
    environment |= {"CELLAR_DATA_DIR": str(data), "CELLAR_PORT": "9"}
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", *command],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(after_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def longest_s(command: list[str], data: Path) -> float:
    begun = time.monotonic()
    assert killed_or_ended(command, data, 600) == 0
    return time.monotonic() - begun


def test_backup_that_is_killed_at_any_moment_never_counts_and_loses_nothing(tmp_path: Path, place: Path) -> None:
    command, data = ["backup", "--to", str(place)], tmp_path / "old" / "data"
    within_s, drawn, killed = longest_s(command, data), random.Random(29), 0
    for number in range(_TIMES):
        with installed(tmp_path / "old"):
            archived(f"new-{number}", sample_body(f"new-{number}"))
            before = {each.name for each in Repository(str(place)).backups() if each.is_finished}
            status = killed_or_ended(command, data, drawn.uniform(0.3, within_s))
            after = {each.name for each in Repository(str(place)).backups() if each.is_finished}
            assert before <= after
            assert (len(after - before) == 1) or status != 0
            killed += status != 0
    assert killed > _TIMES / 4
    assert killed_or_ended(command, data, 600) == 0
    with elsewhere(tmp_path / "new"):
        assert restored_whole(tmp_path / "new", place).archives == _ARCHIVES + _TIMES


def restored_whole(folder: Path, place: Path) -> Restored:
    environment = dict(os.environ) | {"CELLAR_DATA_DIR": str(folder / "data")}
    command = [sys.executable, "-m", "cli.main", "restore", "--from", str(place), "--json"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = Restored.model_validate_json(ended.stdout)
    assert (found.is_whole, found.waiting) == (True, 1)
    return found


def test_restore_that_is_killed_at_any_moment_goes_on_and_nothing_starts_before_it_is_done(
    tmp_path: Path, place: Path
) -> None:
    drawn, killed = random.Random(29), 0
    with elsewhere(tmp_path / "measured"):
        within_s = longest_s(["restore", "--from", str(place)], settings().data_dir)
    for number in range(_TIMES):
        folder = tmp_path / f"new-{number}"
        with elsewhere(folder):
            status = killed_or_ended(["restore", "--from", str(place)], folder / "data", drawn.uniform(0.5, within_s))
            if status != 0 and any((folder / "data" / "store").rglob("*")):
                with pytest.raises(WrongUse, match="cellar restore"):
                    restore_mark.check_complete()
            if status != 0:
                killed += 1
                assert restored_whole(folder, place).archives == _ARCHIVES
            restore_mark.check_complete()
        shutil.rmtree(folder)
    assert killed > _TIMES / 4


@pytest.mark.parametrize("room_bytes", [48 << 10, 96 << 10, 160 << 10])
def test_full_disk_ends_a_backup_that_goes_on_once_there_is_room(tmp_path: Path, place: Path, room_bytes: int) -> None:
    data = tmp_path / "old" / "data"
    with small_disk(tmp_path / "small", room_bytes) as small, installed(tmp_path / "old"):
        assert killed_or_ended(["backup", "--to", str(small)], data, 600) == 1
        subprocess.run(["mount", "-o", "remount,size=100m", str(small)], check=True)
        assert [each for each in Repository(str(small)).backups() if each.is_finished] == []
        assert killed_or_ended(["backup", "--to", str(small)], data, 600) == 0
        with elsewhere(tmp_path / "new"):
            assert restored_whole(tmp_path / "new", small).archives == _ARCHIVES


@pytest.mark.parametrize("room_bytes", [96 << 10, 400 << 10, 1200 << 10])
def test_full_disk_ends_a_restore_that_goes_on_once_there_is_room(tmp_path: Path, place: Path, room_bytes: int) -> None:
    with elsewhere(tmp_path / "new"), small_disk(tmp_path / "small", room_bytes) as small:
        (small / "data").mkdir(mode=0o700)
        shutil.copytree(settings().data_dir / "secrets", small / "data" / "secrets")
        assert killed_or_ended(["restore", "--from", str(place)], small / "data", 600) == 1
        subprocess.run(["mount", "-o", "remount,size=100m", str(small)], check=True)
        assert restored_whole(small, place).archives == _ARCHIVES


def test_power_cut_in_a_restore_leaves_the_mark_until_all_is_on_the_disk(tmp_path: Path, place: Path) -> None:
    """Files that the kernel had not written yet are empty afterwards, with their sizes and times: restic reads them."""
    with elsewhere(tmp_path / "new") as made:
        command = ["restore", "--from", str(place)]
        assert killed_or_ended(command, made.data_dir, 600) == 0
        files = [each for each in (made.data_dir / "store" / "archives").rglob("*") if each.is_file()]
        for each in random.Random(29).sample(files, len(files) // 3):
            times, size_bytes = each.stat(), each.stat().st_size
            each.write_bytes(bytes(size_bytes))
            os.utime(each, ns=(times.st_atime_ns, times.st_mtime_ns))
        backup = max(each.name for each in Repository(str(place)).backups())
        at = datetime.now(UTC) - timedelta(minutes=1)
        restore_mark.put(
            Mark(source=str(place), backup=backup, target=restore_mark.here(), at=at, command="cellar restore")
        )
        assert restored_whole(tmp_path / "new", place).archives == _ARCHIVES
