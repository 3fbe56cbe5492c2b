"""The power is cut while archives are acknowledged and completed: an ext4 on a loop device is shut down at once.

The shutdown (`EXT4_IOC_SHUTDOWN` without flushing the log, as xfstests does it) drops everything that is not on the
device: file contents, names and the journal that were not synced. Inbox, store, spool and SQLite all lie on that disk.
What a disk loses that reports a sync before it is true is not shown. Needs root and a loop device.

CUTS=100 cuts a hundred times (default: 3).
"""

import fcntl
import os
import random
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.database.migration import migrate
from tests.conftest import free_port, wait_until
from tests.faults.completing import COMPLETES, complete_inbox
from tests.faults.installation import SECRET, Installation
from tests.faults.kept_once import assert_kept_once
from tests.faults.load import Sent, cut_off
from tests.faults.parts import Part, ending

pytestmark = [pytest.mark.faults, pytest.mark.timeout(36_000)]

_CUTS = int(os.environ.get("CUTS", "3"))
_SEED = int(os.environ.get("SEED", "20261126"))
_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
_WITHOUT_FLUSHING_THE_LOG = 2
_SIZE_BYTES = (256 + 32 * _CUTS) << 20  # some thirty archives arrive before each cut


class Disk:
    """An ext4 whose power can be cut."""

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
        self.unmount()
        self._cuts += 1
        before, self.image = self.image, self.image.with_name(f"disk-{self._cuts}.img")
        subprocess.run(["cp", "--sparse=always", before, self.image], check=True)
        before.unlink()
        self.mount()

    def unmount(self) -> None:
        wait_until(lambda: subprocess.run(["umount", self.mounted], check=False).returncode == 0, timeout_s=30)

    @contextmanager
    def at_the_end(self) -> Iterator[None]:
        try:
            yield
        finally:
            subprocess.run(["umount", "--lazy", self.mounted], capture_output=True, check=False)


def test_no_acknowledged_archive_is_lost_or_doubled_by_a_power_cut(tmp_path: Path) -> None:
    disk, sent, chance = Disk(tmp_path), Sent(), random.Random(_SEED)
    folder = disk.mounted / "cellar"
    made = Installation(folder, {"webhook_secrets": SECRET, "PREFECT_API_URL": "http://127.0.0.1:9/api"}, {}, {}, 0)
    made.port = free_port()
    with disk.at_the_end():
        disk.mount()
        folder.mkdir()
        with made.looked_into():
            migrate()
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
