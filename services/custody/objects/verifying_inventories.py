"""Verifies the inventories of an object, their sidecars, and its declaration."""

from collections.abc import Iterator

from adapters.store import ocfl
from adapters.store.ocfl import INVENTORY, SIDECAR
from adapters.tables.runs.receipts import Completed
from models.store.fixity import FixityFinding
from services.custody.objects.opened import Opened


def wrong_inventories(opened: Opened) -> Iterator[FixityFinding]:
    """Find the inventories of versions that are missing, or differ from their sidecar or from the root inventory."""
    stored, inventory, files = opened.stored, opened.inventory, opened.files
    for number in range(1, inventory.head + 1):
        path = f"v{number}/{INVENTORY}"
        of_version = files.found(path)
        if of_version is None:
            yield stored.missing(path)
        elif files.found(f"v{number}/{SIDECAR}") != ocfl.sidecar(of_version):
            yield stored.damaged(path, "the digest in its sidecar", "another digest")
        elif number == inventory.head and of_version != opened.text:
            yield stored.damaged(INVENTORY, f"the inventory of v{number}", "another inventory")
        elif number < inventory.head and of_version != inventory.as_of(number).to_json():
            yield stored.damaged(path, "the root inventory up to that version", "another inventory")


def wrong_sidecar(opened: Opened, completed: Completed) -> Iterator[FixityFinding]:
    """Check the sidecar of the root inventory. It is written last, so before that no run can complete the version."""
    stored, inventory, files = opened.stored, opened.inventory, opened.files
    if files.found(SIDECAR) == ocfl.sidecar(opened.text):
        return
    is_complete = inventory.versions[-1].message in completed.receipts
    if is_complete or opened.text != files.found(f"v{inventory.head}/{INVENTORY}"):
        yield stored.damaged(SIDECAR, "the digest of the inventory", "another digest")
    else:
        yield stored.interrupted(SIDECAR, "the digest of the inventory", "another digest")


def wrong_declaration(opened: Opened) -> Iterator[FixityFinding]:
    """Check the file that declares the object."""
    path = ocfl.OBJECT_DECLARATION
    text = opened.files.found(path)
    if text is None:
        yield opened.stored.missing(path)
    elif text != ocfl.declaration(path):
        yield opened.stored.damaged(path, "the same as its name", "different content")
