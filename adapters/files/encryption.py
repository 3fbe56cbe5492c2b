"""Says whether the disk of a path is encrypted, as far as this machine knows."""

import fcntl
import os
import re
import struct
from pathlib import Path

from models.said import Said, Sentence

_DEVICES = Path("/sys/dev/block")
_ENCRYPTING = re.compile(r"CRYPT-(LUKS1|LUKS2|PLAIN|BITLK|TCRYPT|LOOPAES|FVAULT2)-")
"""The ids of devices that dm-crypt encrypts. Those of dm-verity and dm-integrity begin alike, and encrypt nothing."""
_DISK, _DISKS = "disk", re.compile(r"(sd|vd|xvd|hd)[a-z]+|(nvme|mmcblk)\d.*")
_UNKNOWN = "unknown"
_FLAGS_OF_FILE, _IS_ENCRYPTED = 0x80086601, 0x800  # FS_IOC_GETFLAGS and FS_ENCRYPT_FL of linux/fs.h


def encryption_of(folder: Path, devices: Path = _DEVICES) -> Said:
    """Return what encrypts the disk of a folder, that this machine does not, or that this is not known.

    Args:
        folder: If it does not exist yet, the folder above counts. No file: to close one takes SQLite's locks away.
        devices: The folder in which the kernel describes each block device, by number.
    """
    there = next(each for each in (folder, *folder.parents) if each.exists())
    found = there.stat().st_dev
    device = f"{os.major(found)}:{os.minor(found)}"
    kind = _kinds().get(device, "a file system")
    bottom = {"eCryptfs"} if kind == "ecryptfs" else _of_folder(there) or _bottom(devices / device)
    if _DISK in bottom:
        return Sentence.unencrypted_disk(path=str(folder))
    if _UNKNOWN in bottom:
        return Sentence.encryption_unknown(place=str(folder), kind=kind)
    return Sentence.encrypted_disk(path=str(folder), by=", ".join(sorted(bottom)))


def _kinds() -> dict[str, str]:
    """Return the kind of each mounted file system, by the number of its device. Source: proc_pid_mountinfo(5)."""
    halves = (line.partition(" - ") for line in Path("/proc/self/mountinfo").read_text().splitlines())
    return {of_mount.split(" ")[2]: of_system.split(" ")[0] for of_mount, _, of_system in halves}


def _of_folder(path: Path) -> set[str]:
    """Return fscrypt if the file system encrypts the files of this folder by a key of their own."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        flags = fcntl.ioctl(descriptor, _FLAGS_OF_FILE, bytes(8))
    except OSError:  # this file system has no flags
        return set()
    finally:
        os.close(descriptor)
    return {"fscrypt"} if struct.unpack_from("I", flags)[0] & _IS_ENCRYPTED else set()


def _bottom(device: Path) -> set[str]:
    """Return what a block device rests on: what encrypts it, a disk that nothing on this machine encrypts, or unknown.

    Volumes, arrays and partitions rest on others. A loop device or a volume of ZFS rests on files or pools: unknown.
    """
    if (device / "partition").exists():
        return _bottom(device.resolve().parent)
    its_id = device / "dm" / "uuid"
    if its_id.exists() and (found := _ENCRYPTING.match(its_id.read_text())):
        return {found[1]}
    below = [_bottom(each) for each in device.glob("slaves/*")]
    return set().union(*below) if below else {_DISK if _DISKS.fullmatch(device.resolve().name) else _UNKNOWN}
