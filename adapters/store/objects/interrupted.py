"""Finishes or removes versions that are written but not yet in the root inventory, because their writer was killed.

The next writer does so. In a folder a version appears whole. In a bucket its inventory comes first, so files that it
names may be missing. No writer of ours leaves any other files: they are damage, and are not removed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from adapters.files.store import store
from adapters.store import ocfl
from adapters.store.objects import history
from adapters.store.ocfl import INVENTORY, LOGS, SIDECAR
from models.errors import Conflict
from models.store.inventory import Inventory


@dataclass(frozen=True, slots=True)
class Begun:
    """A version that is not in the root inventory, by the paths of its files in the object."""

    number: int
    receipt_id: str
    named: Sequence[str]
    """The files that its inventory names, the inventory itself last; empty if the inventory is missing or damaged."""
    strange: Sequence[str]
    """Files that exist and are not named."""
    lost: Sequence[str]
    """Files that are named and do not exist."""
    inventory: bytes = b""

    @property
    def is_whole(self) -> bool:
        return bool(self.named) and not self.lost


def begun(key: str, number: int, paths: Collection[str]) -> Begun | None:
    """Return a version that is not in the root inventory of the object at a key; None where it has no file.

    Args:
        paths: all paths in the object, or in that version.
    """
    there = {path for path in paths if path.startswith(f"v{number}/")}
    if not there:
        return None
    text = _inventory(key, number)
    if text is None:
        return Begun(number, "", (), sorted(there), ())
    inventory = ocfl.parsed(text, key)
    named = (*inventory.content_of(number).values(), f"v{number}/{SIDECAR}", f"v{number}/{INVENTORY}")
    receipt_id = inventory.versions[-1].message
    return Begun(number, receipt_id, named, sorted(there.difference(named)), sorted({*named} - there), text)


def may_be_half(key: str, found: Begun) -> bool:
    """Return whether a killed writer can have left a version with missing files. If it was complete, they were lost."""
    return ocfl.version_writer().leaves_halves and not history.is_complete(key, found.receipt_id)


def repaired(reference: str) -> Inventory | None:
    """Finish or remove what a killed writer left, and return the inventory; None where there is no object.

    Raises:
        Conflict: the object is damaged.
    """
    key = ocfl.object_key(reference)
    if not any(True for _ in store().listed(key)):
        return None
    text = store().found_bytes(f"{key}/{INVENTORY}")
    if text is None:
        return _repaired_first(key)
    before = ocfl.parsed(text, key)
    sidecar = store().found_bytes(f"{key}/{SIDECAR}")
    if sidecar != ocfl.sidecar(text):
        if store().found_bytes(f"{key}/v{before.head}/{INVENTORY}") != text:
            raise ocfl.damaged(key)
        store().replace_bytes(sidecar, ocfl.sidecar(text), f"{key}/{SIDECAR}")
    number = before.head + 1
    return _repaired(key, begun(key, number, _paths(key, f"{key}/v{number}")), text) or before


def _repaired_first(key: str) -> Inventory | None:
    """Finish or remove an object without an inventory: its first writer was killed, or only versions' copies remain."""
    paths = _paths(key, key)
    numbers = [int(number) for path in paths if (number := path.partition("/")[0].removeprefix("v")).isdecimal()]
    head = max(numbers, default=0)
    found = begun(key, head, paths)
    was_reported = head > 1 or any(path.startswith((f"{LOGS}/", SIDECAR)) for path in paths)
    if was_reported and not (found and found.is_whole):
        raise ocfl.damaged(key)
    return _repaired(key, found, None)


def _repaired(key: str, found: Begun | None, before: bytes | None) -> Inventory | None:
    if found is None:
        return None
    if found.is_whole:
        return ocfl.publish(key, found.number, before)
    if found.strange or not may_be_half(key, found):
        raise ocfl.damaged(key)
    *content, _, _ = found.named
    for path in content:
        store().remove(f"{key}/{path}")
    ocfl.withdraw(key, found.number, found.inventory)
    return None


def _paths(key: str, below: str) -> list[str]:
    return [path.removeprefix(f"{key}/") for path, _ in store().listed(below)]


def _inventory(key: str, number: int) -> bytes | None:
    """Return the inventory of a version if it is valid and its sidecar does not contradict it."""
    text, sidecar = (store().found_bytes(f"{key}/v{number}/{name}") for name in (INVENTORY, SIDECAR))
    if text is None or sidecar not in (None, ocfl.sidecar(text)):
        return None
    try:
        return text if ocfl.parsed(text, key).head == number else None
    except Conflict:
        return None
