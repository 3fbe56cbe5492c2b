"""Checks whether the systems of the installation answer and work: receiver, Prefect, workers, database, storages."""

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapters.database import facts
from adapters.database.text_index import has_text_index
from adapters.documents import clamd
from adapters.files.store import storage_at
from adapters.inbox import inbox
from adapters.inbox.inbox import backlog
from adapters.peers import prefect_facts, receiver
from adapters.peers.prefect_facts import EndedRun
from adapters.search.entries import searchable
from adapters.search.progress import is_complete
from adapters.settings.settings import settings
from adapters.store import seals
from adapters.tables import conditions
from domain.people.words import count_text
from domain.runs import age_text
from domain.search.facets import digest_of
from models.errors import System, Transient, Unusable
from models.views.health import Check, Verdict
from services.health.anchoring import anchor_probes
from services.health.bounded import Probe
from services.health.endpoints import endpoints
from services.health.lost_store import found_root
from services.health.people import people
from services.health.probes import try_store
from services.health.sources import clock_probes, source_probes

_GIB = 1 << 30
_LITTLE_BYTES, _TOO_LITTLE_BYTES = 10 * _GIB, _GIB
_LATE = timedelta(minutes=5)
_VERIFY = "verify-archives"

_START = "start `cellar up`, or `cellar api` on the machine that receives; its log says why it ended"
_PROCESSES = (
    "a process that ended is started again; if this stays so, the receiver's log says why, or it was started before "
    "CELLAR_RECEIVER_PROCESSES was changed"
)
_PREFECT = "start `cellar up`, or check PREFECT_API_URL; archives wait meanwhile and none is lost"
_WORKER = "start `cellar up` or `cellar worker`; archives wait meanwhile and none is lost"
_DATABASE = "check CELLAR_DATABASE_URL and its server; archives wait in the inbox meanwhile"
_SEARCH = "run `cellar migrate`"
_STORE = "check that the disk or bucket of CELLAR_STORE_URL is there and may be written"
_INBOX = "check that the disk or bucket of CELLAR_INBOX_URL is there and may be written; senders are refused meanwhile"
_CLAMAV = "start clamd, or check CELLAR_CLAMD; archives wait meanwhile"
_DISK = "free space, or move the folder to another disk"
_SEAL_KEY = "make no new key; archives with sealed values wait for the old one meanwhile, and none is lost"
_VERIFIED = "run `cellar verify`: it names each damaged file"


def system_probes() -> list[Probe]:
    return [
        Probe("receiver", _receiver, _START),
        Probe("Prefect", _prefect, _PREFECT),
        Probe("workers", _workers, _WORKER, needs=(System.PREFECT,)),
        Probe("database", _database, _DATABASE),
        Probe("search", _search, _SEARCH, needs=(System.DATABASE,)),
        Probe("store", _store, _STORE),
        Probe("inbox", _inbox, _INBOX),
        Probe("ClamAV", _clamav, _CLAMAV),
        *(Probe(f"disk of {name}", _disk_of(name, path), _DISK) for name, path in _disks()),
        *source_probes(),
        Probe("endpoints", endpoints, "see docs/notifications.md", needs=(System.DATABASE,)),
        Probe("last verify", _last_verify, _VERIFIED, needs=(System.DATABASE,)),
        Probe("seal key", _seal_key, _SEAL_KEY, needs=(System.STORE,)),
        *anchor_probes(),
        *clock_probes(),
        Probe("people", people, "see docs/people.md", needs=(System.DATABASE,)),
    ]


def _receiver() -> Check:
    found = receiver.readiness()
    if found.reason:
        raise Transient(f"{found.url} is not ready: {found.reason}")
    if found.processes < settings().receiver_processes:
        missing = f"{found.url} is ready, with {found.processes} of {settings().receiver_processes} processes"
        return Check(name="receiver", verdict=Verdict.WARNING, found=missing, to_do=_PROCESSES)
    with_processes = f", with {found.processes} processes" if found.processes > 1 else ""
    return _ok("receiver", f"{found.url} is ready{with_processes}")


def _prefect() -> Check:
    return _ok("Prefect", f"{settings().prefect_ui_url}, version {prefect_facts.server().version}")


def _workers() -> Check:
    online = prefect_facts.online_workers()
    if not online:
        raise Transient("no worker is online")
    count = count_text(len(online), "worker is", "workers are")
    return _ok("workers", f"{count} online: {', '.join(sorted(online)[:5])}")


def _database() -> Check:
    try:
        facts.archives_by_state()
    except Unusable as error:  # its message says what to do
        return Check(name="database", verdict=Verdict.WRONG, found=str(error))
    return _ok("database", facts.place())


def _search() -> Check:
    """Check that all archives are found by the present settings, and that an index of trigrams finds them soon."""
    if not has_text_index():
        found = "texts are searched without an index, which is slow: the server lacks the extension pg_trgm"
        to_do = (
            "as an administrator of the server run `CREATE EXTENSION pg_trgm` in the database, then `cellar migrate`"
        )
        return Check(name="search", verdict=Verdict.WARNING, found=found, to_do=to_do)
    if not is_complete(digest_of(searchable())):
        found = "archives are not all found by the present settings, or by an upgrade's new filters"
        return Check(name="search", verdict=Verdict.WARNING, found=found, to_do=_SEARCH)
    return _ok("search", "archives are found by all filters and by text")


def _store() -> Check:
    _check_not_lost()
    if unmade := _unmade("store", settings().store_location):
        return unmade
    try_store()
    return _ok("store", settings().store_location)


def _inbox() -> Check:
    if unmade := _unmade("inbox", settings().inbox_location):
        return unmade
    inbox.try_out()
    waits = backlog()
    if not waits.receipts or waits.oldest_at is None:
        return _ok("inbox", "nothing waits")
    age = datetime.now(UTC) - waits.oldest_at
    found = f"{count_text(waits.receipts, 'receipt waits', 'receipts wait, the oldest')} for {age_text(age)}"
    if age < _LATE:
        return _ok("inbox", found)
    to_do = "see which archives wait and which failed: `cellar failures`"
    return Check(name="inbox", verdict=Verdict.WARNING, found=found, to_do=to_do)


def _unmade(name: str, location: str) -> Check | None:
    """Check a folder that does not exist yet by its parent, since trying it out would make it in a wrong place too."""
    folders = storage_at(location).suited(folder=lambda it: [it.path], bucket=lambda _: [])
    for path in folders:
        if path.exists():
            continue
        if not path.parent.exists():
            raise Transient(f"{path} does not exist; check the working directory and CELLAR_DATA_DIR")
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise Transient(f"{path} does not exist, and this user may not make it")
        return _ok(name, f"{path} does not exist; the next delivery makes it")
    return None


def _check_not_lost() -> None:
    """Check that the store has what the database says. Nothing is known while the database is away."""
    try:
        found_root()
    except Transient as error:
        if error.system is not System.DATABASE:
            raise


def _clamav() -> Check:
    if not settings().clamd:
        return Check(name="ClamAV", verdict=Verdict.OFF, found="CELLAR_CLAMD is not set: files are not scanned")
    clamd.ping()
    return _ok("ClamAV", f"clamd at {settings().clamd} answers")


def _disks() -> Iterator[tuple[str, Path]]:
    """Yield the folders of the installation that lie on different disks. A bucket has no disk."""
    places = [("data", settings().data_dir.absolute())]
    for name, location in (("inbox", settings().inbox_location), ("store", settings().store_location)):
        places += storage_at(location).suited(
            folder=lambda it, name=name: [(name, it.path)],  # type: ignore[misc]
            bucket=lambda _: [],
        )
    seen: set[int] = set()
    for name, path in places:
        # Path.exists fails where this user may not look.
        existing = next((each for each in (path, *path.parents) if os.path.exists(each)), path)  # noqa: PTH110
        if (device := existing.stat().st_dev) not in seen:
            seen.add(device)
            yield name, existing


def _disk_of(name: str, path: Path) -> Callable[[], Check]:
    def _look() -> Check:
        usage = shutil.disk_usage(path)
        found = f"{usage.free / _GIB:,.1f} of {usage.total / _GIB:,.1f} GiB are free at {path}"
        if usage.free < _TOO_LITTLE_BYTES:
            raise Transient(found)
        verdict = Verdict.WARNING if usage.free < _LITTLE_BYTES else Verdict.OK
        to_do = _DISK if verdict is Verdict.WARNING else ""
        return Check(name=f"disk of {name}", verdict=verdict, found=found, to_do=to_do)

    return _look


def _seal_key() -> Check:
    """Check that the master keys open the keys of the store, by the key that is made before all others."""
    seals.check_fingerprint_key()
    if not settings().known_seal_keys():
        return Check(name="seal key", verdict=Verdict.OFF, found="none yet; the first archive generates it")
    return _ok("seal key", "CELLAR_SEAL_KEYS" if settings().seal_keys else str(settings().secret_path("seal")))


def _last_verify() -> Check:
    """Check what checks have found, and that the last scheduled check came to its end: then it left its time."""
    checked_at = conditions.stored_object().checked_at
    found = f"Completed {checked_at:%Y-%m-%d %H:%M} UTC" if checked_at else "no check of the whole store has ended yet"
    damage = conditions.damage()
    if damage:
        raise Transient(f"{found}; found: {', '.join(f'{each.code} {each.count:,}' for each in damage)}")
    run = _last_scheduled_check()
    if run and run.state_type != "COMPLETED" and (checked_at is None or checked_at < (run.start_time or run.end_time)):
        raise Transient(f"{found}; the scheduled check of {run.end_time.astimezone(UTC):%Y-%m-%d %H:%M} UTC broke off")
    return Check(name="last verify", verdict=Verdict.OK if checked_at else Verdict.OFF, found=found)


def _last_scheduled_check() -> EndedRun | None:
    """Return the last run of the scheduled check. Another check reports that Prefect is away."""
    try:
        return prefect_facts.last_run(_VERIFY)
    except Transient:
        return None


def _ok(name: str, found: str) -> Check:
    return Check(name=name, verdict=Verdict.OK, found=found)
