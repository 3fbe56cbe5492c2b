"""Checks whether the systems of the installation answer and work: receiver, Prefect, workers, database, storages."""

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapters.anchors.last_anchor import last_anchor
from adapters.anchors.witness import require_place, witness
from adapters.database import facts
from adapters.database.text_index import has_text_index
from adapters.documents import clamd
from adapters.files.disks import folders
from adapters.files.locations import storage_at
from adapters.inbox import inbox
from adapters.inbox.backlog import backlog
from adapters.peers import prefect_facts, receiver
from adapters.peers.people import masked
from adapters.peers.prefect_facts import EndedRun
from adapters.search.entries import searchable
from adapters.search.progress import is_complete
from adapters.settings.settings import settings
from adapters.store import seals
from adapters.store.beside import sources
from adapters.tables import conditions
from adapters.tables.open_conditions import open_conditions
from adapters.tables.people import letters
from adapters.tables.runs import receipts
from domain.people.letters import count_text
from domain.runs.waiting_text import age_text
from domain.search.facets import digest_of
from models.errors import System, Transient, Unusable
from models.store.condition import OF_CHECKS
from services.health.checks import Found, Probe, off, ok, warning, wrong
from services.health.probes import found_root, try_store
from services.sources.clocks import clock_warnings

_GIB = 1 << 30
_LITTLE_BYTES, _TOO_LITTLE_BYTES = 10 * _GIB, _GIB
_LATE = timedelta(minutes=5)
_OLD_ANCHOR = timedelta(days=2)
_VERIFY = "verify-archives"


def system_probes() -> list[Probe]:
    store, database, prefect = (System.STORE,), (System.DATABASE,), (System.PREFECT,)
    return [
        Probe(
            "receiver",
            _receiver,
            "start `cellar up`, or `cellar api` on the machine that receives; its log says why it ended",
        ),
        Probe(
            "Prefect",
            _prefect,
            "start `cellar up`, or check PREFECT_API_URL; archives wait meanwhile and none is lost",
        ),
        Probe(
            "workers",
            _workers,
            "start `cellar up` or `cellar worker`; archives wait meanwhile and none is lost",
            needs=prefect,
        ),
        Probe(
            "database",
            _database,
            "check CELLAR_DATABASE_URL and its server; archives wait in the inbox meanwhile",
        ),
        Probe("search", _search, "run `cellar migrate`", needs=database),
        Probe("store", _store, "check that the disk or bucket of CELLAR_STORE_URL is there and may be written"),
        Probe(
            "inbox",
            _inbox,
            "check that the disk or bucket of CELLAR_INBOX_URL is there and may be written; senders are refused "
            "meanwhile",
        ),
        Probe("ClamAV", _clamav, "start clamd, or check CELLAR_CLAMD; archives wait meanwhile"),
        *(
            Probe(f"disk of {name}", _disk_of(path), "free space, or move the folder to another disk")
            for name, path in _disks().items()
        ),
        Probe(
            "sources",
            _sources,
            "see whether the store answers, and restore damaged records of `sources/` from a copy of it",
            needs=store + database,
        ),
        Probe("last verify", _last_verify, "run `cellar verify`: it names each damaged file", needs=database),
        Probe(
            "seal key",
            _seal_key,
            "make no new key; archives with sealed values wait for the old one meanwhile, and none is lost",
            needs=store,
        ),
        Probe(
            "last anchor",
            _last_anchor,
            "run `cellar anchor`, and see the runs of `anchor-archives` in Prefect's UI",
            needs=store,
        ),
        Probe(
            "anchor key",
            _anchor_key,
            "restore the file from a backup, or set CELLAR_ANCHOR_KEY",
            needs=store,
        ),
        Probe(
            "witness",
            _witness,
            "check that the folder or bucket of CELLAR_WITNESS_URL is there and may be written; anchors go on",
        ),
        Probe("time zones", _time_zones, "check CELLAR_DATABASE_URL and its server", needs=database + store),
        Probe(
            "people",
            _people,
            "run `cellar people test`, and check the address in CELLAR_PEOPLE_URLS",
            needs=database,
        ),
    ]


def _receiver() -> Found:
    found = receiver.readiness()
    if found.reason:
        raise Transient(f"{found.url} is not ready: {found.reason}")
    if found.processes < settings().receiver_processes:
        return warning(
            f"{found.url} is ready, with {found.processes} of {settings().receiver_processes} processes",
            "a process that ended is started again; if this stays so, the receiver's log says why, or it was started "
            "before CELLAR_RECEIVER_PROCESSES was changed",
        )
    with_processes = f", with {found.processes} processes" if found.processes > 1 else ""
    return ok(f"{found.url} is ready{with_processes}")


def _prefect() -> Found:
    return ok(f"{settings().prefect_ui_url}, version {prefect_facts.server().version}")


def _workers() -> Found:
    online = prefect_facts.online_workers()
    if not online:
        raise Transient("no worker is online")
    count = count_text(len(online), "worker is", "workers are")
    return ok(f"{count} online: {', '.join(sorted(online)[:5])}")


def _database() -> Found:
    try:
        facts.archives_by_state()
    except Unusable as error:
        return wrong(str(error), "")  # its message says what to do
    return ok(facts.place())


def _search() -> Found:
    """Check that all archives are found by the present settings, and that an index of trigrams finds them soon."""
    if not has_text_index():
        return warning(
            "texts are searched without an index, which is slow: the server lacks the extension pg_trgm",
            "as an administrator of the server run `CREATE EXTENSION pg_trgm` in the database, then `cellar migrate`",
        )
    if not is_complete(digest_of(searchable())):
        return warning("archives are not all found by the present settings, or by an upgrade's new filters")
    return ok("archives are found by all filters and by text")


def _store() -> Found:
    _check_not_lost()
    if unmade := _unmade(settings().store_location):
        return unmade
    try_store()
    return ok(settings().store_location)


def _inbox() -> Found:
    if unmade := _unmade(settings().inbox_location):
        return unmade
    inbox.try_out()
    waits = backlog()
    if not waits.receipts or waits.oldest_at is None:
        return ok("nothing waits")
    age = datetime.now(UTC) - waits.oldest_at
    found = f"{count_text(waits.receipts, 'receipt waits', 'receipts wait, the oldest')} for {age_text(age)}"
    if age < _LATE:
        return ok(found)
    return warning(found, "see which archives wait and which failed: `cellar failures`")


def _unmade(location: str) -> Found | None:
    """Check a folder that does not exist yet by its parent, since trying it out would make it in a wrong place too."""
    for path in storage_at(location).suited(folder=lambda it: [it.path], bucket=lambda _: []):
        if path.exists():
            continue
        if not path.parent.exists():
            raise Transient(f"{path} does not exist; check the working directory and CELLAR_DATA_DIR")
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise Transient(f"{path} does not exist, and this user may not make it")
        return ok(f"{path} does not exist; the next delivery makes it")
    return None


def _check_not_lost() -> None:
    """Check that the store has what the database says. Nothing is known while the database is away."""
    try:
        found_root()
    except Transient as error:
        if error.system is not System.DATABASE:
            raise


def _clamav() -> Found:
    if not settings().clamd:
        return off("CELLAR_CLAMD is not set: files are not scanned")
    clamd.ping()
    return ok(f"clamd at {settings().clamd} answers")


def _disks() -> dict[str, Path]:
    """Return the folders of the installation that lie on different disks, by name. A bucket has no disk."""
    of_devices: dict[int, tuple[str, Path]] = {}
    for name, path in folders().items():
        of_devices.setdefault(path.stat().st_dev, (name, path))
    return dict(of_devices.values())


def _disk_of(path: Path) -> Callable[[], Found]:
    def _look() -> Found:
        usage = shutil.disk_usage(path)
        found = f"{usage.free / _GIB:,.1f} of {usage.total / _GIB:,.1f} GiB are free at {path}"
        if usage.free < _TOO_LITTLE_BYTES:
            raise Transient(found)
        return warning(found) if usage.free < _LITTLE_BYTES else ok(found)

    return _look


def _sources() -> Found:
    """Report sources without any delivery, and disabled sources whose senders go on."""
    known = sources.refresh()
    if not known:
        return off("no source besides the URL without a name")
    disabled = {name for name, each in known.items() if each.disabled_at}
    refused = _refused_by_source() if disabled else {}
    still = sorted(name for name in disabled if refused.get(name))
    if still:
        return warning(
            ", ".join(f"{name} is disabled and was refused {refused[name]} times" for name in still),
            "change the webhook in Cellosign, or `cellar sources enable NAME`: what it sends is answered with 401",
        )
    silent = sorted(known.keys() - disabled - receipts.last_deliveries().keys())
    if silent:
        return warning(
            f"nothing has come from {', '.join(silent)}",
            "enter URL and secret in Cellosign (`cellar sources rotate NAME` makes a new secret), or disable the "
            "source",
        )
    have = "1 source has a URL of its own" if len(known) == 1 else f"{len(known)} sources have a URL of their own"
    return ok(f"{have}{f', {len(disabled)} disabled' if disabled else ''}")


def _refused_by_source() -> dict[str, int]:
    """Return how often the receiver refused each source since its start; nothing while it does not answer."""
    try:
        return receiver.unauthorised_by_source()
    except Transient:  # the check of the receiver reports it
        return {}


def _last_verify() -> Found:
    """Check what checks have found, and that the last scheduled check came to its end: then it left its time."""
    checked_at = conditions.stored_object().checked_at
    found = f"Completed {checked_at:%Y-%m-%d %H:%M} UTC" if checked_at else "no check of the whole store has ended yet"
    if damage := open_conditions(OF_CHECKS):
        raise Transient(f"{found}; found: {', '.join(f'{each.code} {each.count:,}' for each in damage)}")
    run = _last_scheduled_check()
    if run and run.state_type != "COMPLETED" and (checked_at is None or checked_at < (run.start_time or run.end_time)):
        raise Transient(f"{found}; the scheduled check of {run.end_time.astimezone(UTC):%Y-%m-%d %H:%M} UTC broke off")
    return ok(found) if checked_at else off(found)


def _last_scheduled_check() -> EndedRun | None:
    """Return the last run of the scheduled check. Another check reports that Prefect is away."""
    try:
        return prefect_facts.last_run(_VERIFY)
    except Transient:
        return None


def _seal_key() -> Found:
    """Check that the master keys open the keys of the store, by the key that is made before all others."""
    seals.check_fingerprint_key()
    if not settings().known_seal_keys():
        return off("none yet; the first archive generates it")
    return ok("CELLAR_SEAL_KEYS" if settings().seal_keys else str(settings().secret_path("seal")))


def _last_anchor() -> Found:
    found = last_anchor()
    if found is None:
        return off("no anchor yet; `anchor-archives` makes one each day")
    text = f"anchor {found.number} of {found.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if found.lacks or datetime.now(UTC) - found.at > _OLD_ANCHOR:
        return warning("; ".join([text, *found.lacks]))
    return ok(text)


def _anchor_key() -> Found:
    """Check the key, but generate none: the first anchor does."""
    if not settings().anchor_key and not settings().secret_path("anchor").exists():
        if last_anchor():
            return warning(f"{settings().secret_path('anchor')} is gone; no anchor is made without it")
        return off("none yet; the first anchor generates it")
    settings().active_anchor_key()
    return ok("CELLAR_ANCHOR_KEY" if settings().anchor_key else str(settings().secret_path("anchor")))


def _witness() -> Found:
    there = witness()
    if there is None:
        return off("CELLAR_WITNESS_URL is not set: anchors lie in the store alone")
    require_place(there)
    there.size("anchors/000001/statement")
    return ok(str(settings().witness_location))


def _time_zones() -> Found:
    warnings = clock_warnings()
    if not warnings:
        return ok("no source states times of another zone")
    return warning("; ".join(each.found for each in warnings), "; ".join(each.to_do for each in warnings))


def _people() -> Found:
    """Report addresses that are set and did not take their last letter. Prefect's UI alone shows that too."""
    count = len(settings().people_urls)
    if not count:
        return off(
            "no address is set: nobody hears of outages",
            "set CELLAR_PEOPLE_URLS, so that a person hears of failures and deadlines",
        )
    newest, addresses = letters.newest(), map(masked, settings().people_urls)
    failed = {each: newest[each] for each in addresses if each in newest and newest[each].failure}
    if failed:
        said = [f"{name} at {each.failed_at:%Y-%m-%d %H:%M} UTC: {each.failure}" for name, each in failed.items()]
        return warning("; ".join(said))
    counted = "1 address" if count == 1 else f"{count} addresses"
    return ok(f"{counted}; no letter has failed since its last attempt")
