"""Says whether the disk of a path is encrypted, as far as this machine knows."""

import os
import re
from pathlib import Path

from models.said import Said, Sentence

_DEVICES = Path("/sys/dev/block")
_ENCRYPTING = re.compile(r"CRYPT-(LUKS1|LUKS2|PLAIN|BITLK|TCRYPT|LOOPAES|FVAULT2)-")
"""The ids of devices that dm-crypt encrypts. Those of dm-verity and dm-integrity begin alike, and encrypt nothing."""
_DISK, _DISKS = "disk", re.compile(r"(sd|vd|xvd|hd)[a-z]+|(nvme|mmcblk)\d.*")
_UNKNOWN = "unknown"


def encryption_of(folder: Path, devices: Path = _DEVICES) -> Said:
    """Return what encrypts the disk of a folder, that this machine does not, or that this is not known.

    Args:
        folder: If it does not exist yet, the folder above counts.
        devices: The folder in which the kernel describes each block device, by number.
    """
    there = next(each for each in (folder, *folder.parents) if each.exists())
    found = there.stat().st_dev
    bottom = _bottom(devices / f"{os.major(found)}:{os.minor(found)}")
    if _DISK in bottom:
        return Sentence.unencrypted_disk(path=str(folder))
    if _UNKNOWN in bottom:
        return Sentence.encryption_unknown(place=str(folder), kind="a file system")
    return Sentence.encrypted_disk(path=str(folder), by=", ".join(sorted(bottom)))


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
