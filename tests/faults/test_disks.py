"""Disks that are full, read-only or broken. Needs root, to mount small disks, and strace, to break a sync."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.database.migration import migrate
from tests.conftest import free_port
from tests.faults.completing import complete_inbox
from tests.faults.conftest import completed
from tests.faults.installation import SECRET, Installation, embedded
from tests.faults.kept_once import assert_kept_once
from tests.faults.load import Sent, under_load
from tests.faults.parts import ending
from tests.faults.tracing import traced

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

_LASTS_S = 15
_ROOM_BYTES = 8 << 20


@contextmanager
def _small_disk(place: Path) -> Iterator[Path]:
    place.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={_ROOM_BYTES}", "tmpfs", str(place)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, f"this test needs root, to mount a small disk: {done.stderr.decode()}"
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def _fill(disk: Path) -> Callable[[], None]:
    """Fill a disk to its last byte. Return what makes room again."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 12))
        except OSError:
            pass
    return filler.unlink


def _remount(disk: Path, *options: str) -> None:
    subprocess.run(["mount", "-o", ",".join(("remount", *options)), disk], check=True)


@pytest.mark.parametrize("place", ["store", "inbox"])
@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_archives_are_completed_once_when_a_disk_takes_nothing_for_a_while(
    tmp_path: Path, place: str, fault: str
) -> None:
    with _small_disk(tmp_path / "disk") as disk, embedded(tmp_path, **{f"{place}_url": str(disk)}) as made:
        with under_load(made.url, SECRET, [f"{place}-{fault}-{number}" for number in range(30)], 0.3) as sent:
            time.sleep(2)
            if fault == "full":
                make_room = _fill(disk)
                time.sleep(_LASTS_S)
                make_room()
            else:
                _remount_when_idle(disk)
                time.sleep(_LASTS_S)
                _remount(disk, "rw")
            ended_s = time.monotonic()
        completed(made, sent, f"disk of the {place} {fault}", ended_s)


def _remount_when_idle(disk: Path) -> None:
    """Make a disk read-only. The kernel refuses it while a file is open for writing."""
    for _ in range(600):
        if subprocess.run(["mount", "-o", "remount,ro", disk], capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.05)
    pytest.fail("the disk was busy all the time")


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
@pytest.mark.parametrize(
    ("call", "first", "step"), [("fsync", 1, 3), ("fsync", 2, 3), ("fsync", 3, 3), ("rename", 1, 2), ("rename", 2, 2)]
)
def test_receiver_acknowledges_nothing_that_its_disk_has_not_taken(
    tmp_path: Path, call: str, first: int, step: int, error: str
) -> None:
    """An acknowledgement syncs body, record and folder, and renames body and record. One of these fails each time."""
    made = Installation(tmp_path, {"webhook_secrets": SECRET, "PREFECT_API_URL": "http://127.0.0.1:9/api"}, {}, {}, 0)
    made.port = free_port()
    with made.looked_into():
        migrate()
    sent, references = Sent(), [f"broken-{number}" for number in range(10)]
    failing = f"inject={call}:error={error}:when={first}+{step}"
    receiver = made.receiver()
    with ending([receiver]):
        receiver.start()
        assert sent.send(made.url, SECRET, "before")
        with traced(receiver, tmp_path / "calls.txt", "-e", failing):
            given = [sent.send(made.url, SECRET, each) for each in references]
        for each in references:
            sent.send_until_acknowledged(made.url, SECRET, each)
    assert not all(given), "the fault hit no archive"
    with made.looked_into():
        complete_inbox()
        assert_kept_once(sent)
