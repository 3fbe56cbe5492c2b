"""Tries out the systems that runs may wait for, and finds a store that is not where the settings say."""

import asyncio
from collections.abc import Callable, Mapping

from adapters.documents import clamd
from adapters.files.spool import spooled, write_spooled
from adapters.files.store import store
from adapters.inbox import inbox
from adapters.peers import prefect_api
from adapters.settings.settings import settings
from adapters.store import ocfl, seals
from adapters.tables.archives import archives
from adapters.tables.runs import waiting
from models.errors import Locked, System, Transient


def found_root() -> bool:
    """Return whether the store has a root. Only before the first archive of an installation it has none.

    An empty folder in place of the store, as without the mount of its disk, would take archives: they would be complete
    there, and missing in the store as soon as its disk is back.

    Raises Transient if the database has archives, and the store was never used; or a system does not answer.
    """
    if ocfl.has_root():
        return True
    if archives.is_empty():
        return False
    text = (
        "the store is empty while the database has archives; mount its disk, correct CELLAR_STORE_URL, or restore the "
        "store from a backup"
    )
    lost = Transient(text, system=System.STORE)
    lost.add_note(f"expected {ocfl.ROOT_DECLARATION} in {settings().store_location}")
    raise lost


def try_store() -> None:
    """Write and remove a few bytes in the store and in its spool folder."""
    with spooled(store().spool_folder) as file:
        write_spooled(file, b"probe")
    key = "probe"
    store().overwrite_bytes(b"probe", key)
    store().remove(key)


def _try_store_and_inbox() -> None:
    found_root()
    try_store()
    inbox.try_out()


def _try_key() -> None:
    """Open the key of the archive that has waited longest for its key. Another archive may still lack its key."""
    for row in waiting.runs_waiting_for(System.KEY)[:1]:
        seals.sealer(row.reference)[0](b"probe")


_PROBES: Mapping[System, Callable[[], object]] = {
    System.STORE: _try_store_and_inbox,
    System.CLAMAV: clamd.ping,
    System.KEY: _try_key,
    System.DATABASE: waiting.systems,
}


def can_be_tried(system: System) -> bool:
    """Return whether a system can be tried out. Endpoints and other runs cannot: their runs wait for their time."""
    return system in _PROBES or system is System.PREFECT


async def works(system: System | None) -> bool:
    """Return whether a system works, True also if it cannot be tried out. Prefect works if it answers."""
    if system is System.PREFECT:
        return await prefect_api.is_healthy()
    try:
        if system and can_be_tried(system):
            await asyncio.to_thread(try_out, system)
    except (Transient, Locked, OSError):
        return False
    return True


def try_out(system: System) -> None:
    """Try out a system other than Prefect.

    Raises:
        Transient: the system does not work now.
        Locked: a key is not available.
        OSError: the disk does not take a few bytes.
    """
    _PROBES[system]()
