"""Copies anchors to the witness, the place outside the store, with the same files under the same keys."""

from pathlib import Path

from adapters.anchors import anchors
from adapters.anchors.anchors import STATEMENT
from adapters.files.locations import storage_at
from adapters.files.spool import spooled, write_spooled
from adapters.files.storage import Storage
from adapters.files.store import store
from adapters.platform.cancellation import checkpoint
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
        Transient: store or witness does not answer.
    """
    has = anchors.listed(there)  # first: what another process makes meanwhile is in the store before the witness
    _check_same(there, anchors.listed(store()), has)


def copy_anchors(there: Storage) -> int:
    """Copy to the witness what it lacks of the store's anchors, and return the number of copied files. The statement
    of an anchor comes last.

    Raises:
        Conflict: the witness has another anchor than the store, or an anchor that the store lacks.
        Transient: store or witness does not answer.
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
