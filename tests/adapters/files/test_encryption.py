"""What encrypts the disk of a folder is said as far as it is known, by the kernel's own files."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.files.encryption import encryption_of
from models.said import Sentence

LUKS = "CRYPT-LUKS2-0f0e-cellar"
Make = Callable[[Path], object]


def device(kernel: Path, name: str, dm: str = "", below: tuple[Path, ...] = ()) -> Path:
    """Describe a block device as the kernel does. A partition lies in the folder of its disk."""
    made = kernel / "devices" / name
    (made / "slaves").mkdir(parents=True)
    for each in below:
        (made / "slaves" / each.name).symlink_to(each)
    if "/" in name:
        (made / "partition").write_text("1\n")
    if dm:
        (made / "dm").mkdir()
        (made / "dm" / "uuid").write_text(f"{dm}\n")
    return made


def volume(kernel: Path, dm: str, *below: Path) -> None:
    """Describe the device on which the folder of the test lies."""
    number = kernel.stat().st_dev
    (kernel / "by number").mkdir()
    made = device(kernel, "dm-9", dm, below)
    (kernel / "by number" / f"{os.major(number)}:{os.minor(number)}").symlink_to(made)


def on_an_array_of_encrypted_disks(kernel: Path) -> None:
    disks = [device(kernel, each) for each in ("sda", "nvme0n1")]
    luks = [device(kernel, f"dm-{each.name}", LUKS, (each,)) for each in disks]
    device(kernel, "md0", below=tuple(luks))
    volume(kernel, "LVM-volume", device(kernel, "md0/md0p1"))


def with_one_plain_disk(kernel: Path) -> None:
    volume(kernel, "LVM-volume", device(kernel, "dm-1", LUKS, (device(kernel, "sda"),)), device(kernel, "vdb"))


def with_digests_alone(kernel: Path) -> None:
    device(kernel, "vda")
    volume(kernel, "CRYPT-VERITY-0f0e-root", device(kernel, "vda/vda1"))


def in_a_file(kernel: Path) -> None:
    volume(kernel, "LVM-volume", device(kernel, "loop0"))


def in_a_file_that_is_encrypted(kernel: Path) -> None:
    volume(kernel, "CRYPT-PLAIN-cellar", device(kernel, "loop0"))


def not_described(_kernel: Path) -> None:
    """Describe nothing, as for a file system of the network."""


@pytest.mark.parametrize(
    ("make", "code", "by"),
    [
        (on_an_array_of_encrypted_disks, "encrypted_disk", "LUKS2"),
        (in_a_file_that_is_encrypted, "encrypted_disk", "PLAIN"),
        (with_one_plain_disk, "unencrypted_disk", None),
        (with_digests_alone, "unencrypted_disk", None),
        (in_a_file, "encryption_unknown", None),
        (not_described, "encryption_unknown", None),
    ],
)
def test_disk_is_encrypted_if_all_that_it_rests_on_is(tmp_path: Path, make: Make, code: str, by: str | None) -> None:
    store = tmp_path / "store"
    store.mkdir()
    make(tmp_path)

    found = encryption_of(store / "not made yet", tmp_path / "by number")

    assert (found.code, found.values.get("by")) == (code, by)


def test_memory_is_not_called_encrypted_nor_plain() -> None:
    assert encryption_of(Path("/dev/shm/x")) == Sentence.encryption_unknown(place="/dev/shm/x", kind="a file system")
