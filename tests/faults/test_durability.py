"""Nothing that was acknowledged is lost or doubled by a kill at any system call, a power cut, or a disk that fails.

Needs root, to mount disks, and strace (to attach, it needs root, or kernel.yama.ptrace_scope=0). CUTS=100 cuts the
power a hundred times (default: 3).
"""

import fcntl
import os
import random
import re
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import wait_until
from tests.faults.breaking import small_disk, traced
from tests.faults.completing import COMPLETES, complete_inbox
from tests.faults.conftest import completed
from tests.faults.installation import SECRET, Installation, embedded, without_prefect
from tests.faults.kept_once import assert_kept_once
from tests.faults.load import Sent, cut_off, under_load
from tests.faults.parts import Part, ending

pytestmark = [pytest.mark.faults, pytest.mark.timeout(36_000)]

_WAITING = {"futex", "epoll_wait", "epoll_pwait", "poll", "clock_nanosleep", "restart_syscall", "select", "pselect6"}
_MEMORY = {"brk", "mmap", "munmap", "madvise", "mprotect", "rt_sigprocmask", "rt_sigaction", "gettid", "getpid"}
_CALL = re.compile(r"^(\d+) +(\w+)\(", re.MULTILINE)


def test_no_acknowledged_archive_is_lost_or_doubled_by_a_kill_at_any_system_call(tmp_path: Path) -> None:
    """strace traces one acknowledgement, and then kills a receiver at each call of it, before the call takes effect."""
    made, sent, killed = without_prefect(tmp_path), Sent(), 0
    points = _points(made, tmp_path / "calls.txt", sent)
    for call, number in points:
        killed += _kill_at(made, call, number, sent)

    receiver = made.receiver()
    with ending([receiver]):
        receiver.start()
        _send_again(made, sent)
    with made.looked_into():
        complete_inbox()
        assert_kept_once(sent)
    print(f"\n{killed} kills at {len(points)} system calls: {Counter(call for call, _ in points)}")  # noqa: T201
    assert killed >= len(points) * 0.9, "a kill does not take place"
    assert {call for call, _ in points} >= {"write", "fsync", "rename"}


def _points(made: Installation, output: Path, sent: Sent) -> list[tuple[str, int]]:
    """Return each call of an acknowledgement: its name, and its number within its thread."""
    receiver = made.receiver()
    with ending([receiver]):
        receiver.start()
        assert sent.send(made.url, SECRET, "before the trace")  # what happens once is over
        with traced(receiver, output):
            assert sent.send(made.url, SECRET, "traced")
    return _calls_until_the_answer(output.read_text(), receiver.pid)


def _calls_until_the_answer(trace: str, main_thread: int) -> list[tuple[str, int]]:
    """Return the calls of the event loop and of the threads of the inbox. Other threads work after the answer."""
    before, answer, _ = trace.partition('{\\"status\\":\\"0\\"')
    assert answer, "the trace has no answer"
    taking_part = {str(main_thread), *re.findall(r"^(\d+) +\w+\([^\n]*/inbox/", before, re.MULTILINE)}
    most: dict[str, int] = {}
    for (thread, call), times in Counter(_CALL.findall(before)).items():
        if thread in taking_part and call not in _WAITING | _MEMORY:
            most[call] = max(most.get(call, 0), times)
    return [(call, number) for call in sorted(most) for number in range(1, most[call] + 1)]


def _kill_at(made: Installation, call: str, number: int, sent: Sent) -> bool:
    """Send archives to a receiver that dies at a call, and return whether it died.

    The same receiver first gets what the one before it did not acknowledge.
    """
    receiver = made.receiver()
    with ending([receiver]):
        receiver.start()
        _send_again(made, sent)
        with traced(receiver, made.folder / "killed.txt", "-e", f"inject={call}:signal=KILL:when={number}"):
            for each in range(2):
                sent.send(made.url, SECRET, f"{call}-{number}-{each}")
        return not receiver.is_alive()


def _send_again(made: Installation, sent: Sent) -> None:
    """Send what was not acknowledged, and another archive, so that what happens once in a process is over."""
    left = {reference for receipt_id, reference in sent.references.items() if receipt_id not in sent.acknowledged}
    for each in [*left, f"before number {len(sent.references)}"]:
        sent.send_until_acknowledged(made.url, SECRET, each)


_CUTS = int(os.environ.get("CUTS", "3"))
_SEED = int(os.environ.get("SEED", "20261126"))
_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
_WITHOUT_FLUSHING_THE_LOG = 2
_SIZE_BYTES = (256 + 32 * _CUTS) << 20  # some thirty archives arrive before each cut


class Disk:
    """An ext4 on a loop device whose power can be cut, as xfstests does it (`EXT4_IOC_SHUTDOWN`).

    That drops everything that is not on the device: file contents, names and the journal that were not synced. What a
    disk loses that reports a sync before it is true is not shown.
    """

    def __init__(self, folder: Path) -> None:
        self.image, self.mounted = folder / "disk-0.img", folder / "disk"
        self._cuts = 0
        self.mounted.mkdir()
        with self.image.open("wb") as image:
            image.truncate(_SIZE_BYTES)
        subprocess.run(["mkfs.ext4", "-q", str(self.image)], check=True)

    def mount(self) -> None:
        done = subprocess.run(["mount", "-o", "loop", self.image, self.mounted], capture_output=True, check=False)
        assert done.returncode == 0, f"this test needs root and a loop device: {done.stderr.decode()}"

    def cut(self) -> None:
        descriptor = os.open(self.mounted, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _WITHOUT_FLUSHING_THE_LOG))
        finally:
            os.close(descriptor)

    def replug(self) -> None:
        """Mount what the device holds after a cut. A copy of it: another mount namespace may still hold the original,
        and the kernel would then give back the file system that is shut down.
        """
        wait_until(lambda: subprocess.run(["umount", self.mounted], check=False).returncode == 0, timeout_s=30)
        self._cuts += 1
        before, self.image = self.image, self.image.with_name(f"disk-{self._cuts}.img")
        subprocess.run(["cp", "--sparse=always", before, self.image], check=True)
        before.unlink()
        self.mount()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        self.mount()
        try:
            yield
        finally:
            subprocess.run(["umount", "--lazy", self.mounted], capture_output=True, check=False)


def test_no_acknowledged_archive_is_lost_or_doubled_by_a_power_cut(tmp_path: Path) -> None:
    """Inbox, store, spool and SQLite all lie on the disk, and archives are acknowledged and completed meanwhile."""
    disk, sent, chance = Disk(tmp_path), Sent(), random.Random(_SEED)
    with disk.in_use():
        (disk.mounted / "cellar").mkdir()
        made = without_prefect(disk.mounted / "cellar")
        os.sync()
        for number in range(_CUTS):
            _cut_under_load(made, disk, sent, number, chance)
            disk.replug()
        with made.looked_into():
            complete_inbox()
            assert_kept_once(sent)
    refused = len(sent.bodies) - len(sent.acknowledged)
    print(f"\n{_CUTS} power cuts of ext4: {len(sent.acknowledged)} archives acknowledged, {refused} not")  # noqa: T201
    assert refused >= _CUTS, "the cuts hit no sender"


def _cut_under_load(made: Installation, disk: Disk, sent: Sent, number: int, chance: random.Random) -> None:
    """Receive and complete archives until the power is cut at a random moment."""
    receiver = made.receiver()
    receiver.folder = disk.image.parent  # the logs survive
    command = [sys.executable, "-m", "tests.faults.completing"]
    completing = Part(
        "completing",
        command,
        made.environment(),
        receiver.folder,
        lambda: completing.log.read_text().count(COMPLETES) > number,
    )
    with ending([receiver, completing]):
        completing.start()
        receiver.start()
        with cut_off(sent, made.url, SECRET, f"cut-{number}"):
            time.sleep(chance.uniform(0.2, 1.5))
            disk.cut()
        receiver.kill()
        completing.kill()


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


def _make_read_only(disk: Path) -> Callable[[], None]:
    """Make a disk read-only, which the kernel refuses while a file is open for writing. Return what ends it."""

    def _remounted(option: str) -> bool:
        command = ["mount", "-o", f"remount,{option}", str(disk)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    wait_until(lambda: _remounted("ro"), timeout_s=60)
    return lambda: wait_until(lambda: _remounted("rw"), timeout_s=60)


@pytest.mark.parametrize("place", ["store", "inbox"])
@pytest.mark.parametrize("fault", [_fill, _make_read_only])
def test_archives_are_completed_once_when_a_disk_takes_nothing_for_a_while(
    tmp_path: Path, place: str, fault: Callable[[Path], Callable[[], None]]
) -> None:
    with small_disk(tmp_path / "disk", 8 << 20) as disk, embedded(tmp_path, **{f"{place}_url": str(disk)}) as made:
        with under_load(made.url, SECRET, [f"{place}-{number}" for number in range(30)], 0.3) as sent:
            time.sleep(2)
            end = fault(disk)
            time.sleep(15)
            end()
            ended_s = time.monotonic()
        completed(made, sent, f"disk of the {place}: {fault.__name__}", ended_s)


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
@pytest.mark.parametrize(
    ("call", "first", "step"), [("fsync", 1, 3), ("fsync", 2, 3), ("fsync", 3, 3), ("rename", 1, 2), ("rename", 2, 2)]
)
def test_receiver_acknowledges_nothing_that_its_disk_has_not_taken(
    tmp_path: Path, call: str, first: int, step: int, error: str
) -> None:
    """An acknowledgement syncs body, record and folder, and renames body and record. One of these fails each time."""
    made = without_prefect(tmp_path)
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
