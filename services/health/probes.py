"""Tries out the systems that runs may wait for."""

from collections.abc import Callable, Mapping

from adapters.documents import clamd
from adapters.files.spool import spooled, write_spooled
from adapters.files.store import result_key, store
from adapters.inbox import inbox
from adapters.store import seals
from adapters.tables.runs import waiting
from models.errors import System
from services.health.lost_store import found_root


def try_store() -> None:
    """Write and remove a few bytes in the store and in its spool folder."""
    with spooled(store().spool_folder) as file:
        write_spooled(file, b"probe")
    key = result_key("probe")
    store().overwrite_bytes(b"probe", key)
    store().remove(key)


def _try_store_and_inbox() -> None:
    found_root()
    try_store()
    inbox.try_out()


def _try_key() -> None:
    """Open the key of the archive that has waited longest for its key. Another archive may still lack its key."""
    for row in waiting.runs_waiting_for(System.KEY)[:1]:
        seals.sealer(row.reference)(b"probe")


_PROBES: Mapping[System, Callable[[], object]] = {
    System.STORE: _try_store_and_inbox,
    System.CLAMAV: clamd.ping,
    System.KEY: _try_key,
    # The caller has just read from the database which runs wait for it, or reached Prefect.
    System.DATABASE: waiting.summary,
}


def can_be_tried(system: System) -> bool:
    """Return whether a system can be tried out. Endpoints and other runs cannot: their runs wait for their time."""
    return system in _PROBES


def try_out(system: System) -> None:
    """Try out a system that `can_be_tried`.

    Raises:
        Transient: the system does not work now.
        Locked: a key is not available.
        OSError: the disk does not take a few bytes.
    """
    _PROBES[system]()
