"""Copies anchors to the witness, the place outside the store, with the same files under the same keys.

What is known of the last anchor and the last comparison lies in the store (`last_records`). Of the anchor a note also
lies in the data folder of this machine, outside the store: whoever removes or rewrites anchors in the store
is noticed at the next anchor.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from adapters.anchors import anchors
from adapters.anchors.anchors import STATEMENT, Anchor
from adapters.files.spool import spooled, write_spooled
from adapters.files.storage import Storage
from adapters.files.store import storage_at, store
from adapters.platform.cancellation import checkpoint
from adapters.platform.durable import make_folder, sync_folder, write_file
from adapters.settings.settings import settings
from models.errors import Conflict, Transient


def witness() -> Storage | None:
    """Return the storage of the witness; None where the settings have none."""
    location = settings().witness_location
    return storage_at(location) if location else None


def require_place(there: Storage) -> None:
    """Check that the folder of the witness is there. It is never made: a disk that is not mounted has an empty place.

    Raises:
        Transient: the folder is not there.
    """
    if not there.suited(folder=lambda place: place.path.is_dir(), bucket=lambda _: True):
        raise Transient(f"the folder {there.location('')} of the witness is not there; mount its disk, or make it")


def check_same(there: Storage) -> None:
    """Check that the witness has no other anchors than the store.

    Raises:
        Conflict: it has another anchor than the store, or an anchor that the store lacks.
    """
    has = anchors.listed(there)  # first: what another process makes meanwhile is in the store before the witness
    _check_same(there, anchors.listed(store()), has)


def copy_anchors(there: Storage) -> int:
    """Copy to the witness what it lacks of the store's anchors, and return the number of copied files. The statement
    of an anchor comes last.

    Raises:
        Conflict: the witness has another anchor than the store, or an anchor that the store lacks.
    """
    require_place(there)
    has = anchors.listed(there)  # first, as in `check_same`
    here = anchors.listed(store())
    _check_same(there, here, has)
    copied = 0
    for number, names in here.items():
        anchor = anchors.anchor_at(store(), number, names) if names - has.get(number, set()) else None
        if anchor is None:
            continue
        keys = [anchor.key(name) for name in sorted(anchor.files)] + [anchors.statement_key(number)]
        for key in keys:
            if key.rpartition("/")[2] not in has.get(number, set()):
                _copy(there, key)
                copied += 1
    return copied


def _check_same(there: Storage, here: dict[int, set[str]], has: dict[int, set[str]]) -> None:
    """Check the newest anchor of the witness, which names all anchors before it."""
    finished = [number for number, names in has.items() if STATEMENT in names]
    if not finished:
        return
    newest = finished[-1]
    if newest not in here or STATEMENT not in here[newest]:
        raise Conflict(
            f"the witness has anchor {newest}, and the store lacks it; hold the store against it with `cellar verify "
            f"--against {there.location(anchors.statement_key(newest))}`, and copy the folder anchors/ back"
        )
    key = anchors.statement_key(newest)
    if there.read_bytes(key) != store().read_bytes(key):
        raise Conflict(
            f"the witness has another anchor {newest} than the store; hold the store against it with `cellar verify "
            f"--against {there.location(key)}`"
        )


def _copy(there: Storage, key: str) -> None:
    if key.endswith(f"/{STATEMENT}"):
        there.keep_first(store().read_bytes(key), key)
        return
    with spooled(there.spool_folder) as spool:
        for chunk in store().chunks(key):
            checkpoint()
            write_spooled(spool, chunk)
        there.keep(Path(spool.name), key)


@dataclass(frozen=True, slots=True)
class LastAnchor:
    """The last anchor: when it was made, and what it still lacks, as sentences."""

    number: int
    at: datetime
    root: str
    lacks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The last comparison of the store with an anchor that came to its end at `at`, and how many findings it had.

    `number`: that of the anchor, which `is_of_witness` or the store's own. `uncovered`: how many archives it does not
    name. `erased`: how many were erased. `failure`: why a later comparison broke off.
    """

    at: datetime | None = None
    number: int = 0
    is_of_witness: bool = False
    uncovered: int = 0
    findings: int = 0
    erased: int = 0
    failure: str = ""


def note(anchor: Anchor) -> None:
    """Note on this machine that it made an anchor.

    Raises:
        OSError: the disk does not take the note.
    """
    make_folder(_path().parent)
    noted = {"store": settings().store_location, "number": anchor.statement.number, "root": anchor.root}
    write_file(_path(), json.dumps(noted).encode())
    sync_folder(_path().parent)


def check_noted() -> None:
    """Check that the store still has the anchor that this machine made last.

    Raises:
        Conflict: the store lacks that anchor, or has another one of its number.
    """
    noted = _noted()
    if noted is None or noted["store"] != settings().store_location:
        return
    number = int(noted["number"])
    found = anchors.anchor_at(store(), number, set())
    if found is None or found.root != noted["root"]:
        has = "another anchor of that number" if found else "no such anchor"
        raise Conflict(
            f"this machine made anchor {number}, and the store has {has}: anchors were removed or rewritten. Hold the "
            f"store against {noted['root']} with `cellar verify --against`, and copy the folder anchors/ back from the "
            f"witness. To go on with what the store has, remove {_path()}"
        )


def is_noted(anchor: Anchor) -> bool:
    """Return whether an anchor of the store is the anchor that this machine made last."""
    noted = _noted()
    return noted is not None and (noted["store"], noted["root"]) == (settings().store_location, anchor.root)


def _noted() -> dict[str, Any] | None:
    try:
        noted = json.loads(_path().read_bytes())
        return noted if {"store", "number", "root"} <= noted.keys() else None
    except (OSError, ValueError, AttributeError):
        return None


def _path() -> Path:
    return settings().data_dir.absolute() / "last-anchor.json"
