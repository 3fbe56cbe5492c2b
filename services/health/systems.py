"""Checks whether the systems of the installation answer and work: receiver, Prefect, workers, database, storages."""

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapters.anchors.witness import Comparison, LastAnchor, require_place, witness
from adapters.database import facts
from adapters.database.text_index import has_text_index
from adapters.documents import clamd
from adapters.files.store import folders, storage_at
from adapters.inbox import inbox
from adapters.inbox.inbox import backlog
from adapters.peers import prefect_facts, receiver
from adapters.peers.people import masked
from adapters.peers.prefect_facts import EndedRun
from adapters.settings.settings import settings
from adapters.store import last_records, seals, sources
from adapters.store.tombstones import last_ended
from adapters.tables import conditions
from adapters.tables.open_conditions import open_conditions
from adapters.tables.people import addresses
from adapters.tables.runs import receipts
from domain.runs import age_text
from models.errors import System, Transient, Unusable
from models.said import Sentence, Value
from models.store.backup import LastBackup, LastDrill
from models.store.condition import OF_CHECKS
from models.views.health import Grade
from services import derived
from services.health.checks import Found, Probe, off, ok, plain, warning, wrong
from services.health.probes import found_root, try_store
from services.sources import clock_warnings

_GIB = 1 << 30
_LITTLE_BYTES, _TOO_LITTLE_BYTES = 10 * _GIB, _GIB
_LATE = timedelta(minutes=5)
_OLD_ANCHOR = timedelta(days=2)
_OLD_BACKUP, _OLD_DRILL = timedelta(days=2), timedelta(days=40)
_VERIFY = "verify-archives"
_FREQUENT = ("sweep-inbox", "deliver-messages", "find-missing", "notify-people", "import-reports", "import-archives")
"""Housekeeping that leaves a run only of what it did, of its first failure, and of the first success after that."""


def system_probes() -> list[Probe]:
    store, database, prefect = (System.STORE,), (System.DATABASE,), (System.PREFECT,)
    return [
        Probe("receiver", _receiver),
        Probe("Prefect", _prefect),
        Probe("workers", _workers, prefect),
        Probe("housekeeping", _housekeeping, prefect),
        Probe("database", _database),
        Probe("search", _search, database),
        Probe("store", _store),
        Probe("inbox", _inbox),
        Probe("ClamAV", _clamav),
        *(Probe(f"disk of {name}", _disk_of(path)) for name, path in _disks().items()),
        Probe("sources", _sources, store + database),
        Probe("last verify", _last_verify, database),
        Probe("seal key", _seal_key, store),
        Probe("last anchor", _last_anchor, store),
        Probe("last comparison", _last_comparison, store),
        Probe("last backup", _last_backup, store + database),
        Probe("last drill", _last_drill, store),
        Probe("anchor key", _anchor_key, store),
        Probe("witness", _witness),
        Probe("time zones", _time_zones, database + store),
        Probe("people", _people, database),
    ]


def _receiver() -> Found:
    found = receiver.readiness()
    if found.reason:
        raise Transient(f"{found.url} is not ready: {found.reason}")
    if found.processes < settings().receiver_processes:
        of_all = {"count": found.processes, "expected": settings().receiver_processes}
        return warning(Sentence.receiver_lacks_processes, url=found.url, **of_all)
    if found.processes > 1:
        return ok(Sentence.receiver_processes, url=found.url, count=found.processes)
    return ok(Sentence.receiver_ready, url=found.url)


def _prefect() -> Found:
    return ok(Sentence.prefect_answers, url=settings().prefect_ui_url, version=prefect_facts.server().version)


def _workers() -> Found:
    online = prefect_facts.online_workers()
    if not online:
        raise Transient("no worker is online")
    return ok(Sentence.workers_online, count=len(online), names=sorted(online)[:5])


def _housekeeping() -> Found:
    """Check that workers keep up with the schedules, and that the last run of each kind has not failed.

    A run that is done, or had nothing to do, is planned no longer.
    """
    planned = prefect_facts.next_run("housekeeping")
    if planned is None:
        return warning(Sentence.housekeeping_unplanned)
    at = planned.expected_start_time
    if datetime.now(UTC) - at > _LATE:
        return warning(Sentence.housekeeping_is_late, at=_minute(at))
    last = {each: prefect_facts.last_run(each) for each in _FREQUENT}
    if failing := [name for name, run in last.items() if run and run.state_type != "COMPLETED"]:
        return warning(Sentence.housekeeping_fails, names=failing)
    return ok(Sentence.housekeeping_in_time, at=_minute(at))


def _database() -> Found:
    try:
        facts.archives_by_state()
    except Unusable as error:
        return plain(Grade.WRONG, str(error))
    return plain(Grade.OK, facts.place())


def _search() -> Found:
    """Check that all archives are found by the present settings, and that an index of trigrams finds them soon."""
    if not has_text_index():
        return warning(Sentence.search_without_index)
    lacking = derived.lacking()
    if lacking is None:
        return warning(Sentence.search_incomplete)
    return warning(Sentence.search_fills_in, count=lacking) if lacking else ok(Sentence.search_complete)


def _store() -> Found:
    _check_not_lost()
    if unmade := _unmade(settings().store_location):
        return unmade
    try_store()
    return plain(Grade.OK, settings().store_location)


def _inbox() -> Found:
    if unmade := _unmade(settings().inbox_location):
        return unmade
    inbox.try_out()
    waits = backlog()
    if not waits.receipts or waits.oldest_at is None:
        return ok(Sentence.nothing_waits)
    age = datetime.now(UTC) - waits.oldest_at
    waiting: dict[str, Value] = {"count": waits.receipts, "age": age_text(age)}
    return ok(Sentence.inbox_waits, **waiting) if age < _LATE else warning(Sentence.inbox_is_late, **waiting)


def _unmade(location: str) -> Found | None:
    """Check a folder that does not exist yet by its parent, since trying it out would make it in a wrong place too."""
    for path in storage_at(location).suited(folder=lambda it: [it.path], bucket=lambda _: []):
        if path.exists():
            continue
        if not path.parent.exists():
            raise Transient(f"{path} does not exist; check the working directory and CELLAR_DATA_DIR")
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise Transient(f"{path} does not exist, and this user may not make it")
        return ok(Sentence.made_by_next_delivery, path=str(path))
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
        return off(Sentence.no_clamav)
    clamd.ping()
    return ok(Sentence.clamav_answers, address=settings().clamd)


def _disks() -> dict[str, Path]:
    """Return the folders of the installation that lie on different disks, by name. A bucket has no disk."""
    of_devices: dict[int, tuple[str, Path]] = {}
    for name, path in folders().items():
        of_devices.setdefault(path.stat().st_dev, (name, path))
    return dict(of_devices.values())


def _disk_of(path: Path) -> Callable[[], Found]:
    def _look() -> Found:
        usage = shutil.disk_usage(path)
        free: dict[str, Value] = {
            "free": f"{usage.free / _GIB:,.1f}",
            "all": f"{usage.total / _GIB:,.1f}",
            "path": str(path),
        }
        if usage.free < _TOO_LITTLE_BYTES:
            return wrong(Sentence.disk_free, **free)
        return warning(Sentence.disk_free, **free) if usage.free < _LITTLE_BYTES else ok(Sentence.disk_free, **free)

    return _look


def _sources() -> Found:
    """Report sources without any delivery, and disabled sources whose senders go on."""
    known = sources.RECORDS.refresh()
    if not known:
        return off(Sentence.no_source)
    disabled = {name for name, each in known.items() if each.disabled_at}
    refused = _refused_by_source() if disabled else {}
    still = sorted(name for name in disabled if refused.get(name))
    if still:
        return warning(Sentence.disabled_source_sends, names=[f"{name} {refused[name]}" for name in still])
    silent = sorted(known.keys() - disabled - receipts.last_deliveries(known).keys())
    if silent:
        return warning(Sentence.source_is_silent, names=silent)
    return ok(Sentence.sources_known, count=len(known), disabled=len(disabled))


def _refused_by_source() -> dict[str, int]:
    """Return how often the receiver refused each source since its start; nothing while it does not answer."""
    try:
        return receiver.unauthorised_by_source()
    except Transient:  # the check of the receiver reports it
        return {}


def _last_verify() -> Found:
    """Check what checks have found, and that the last scheduled check came to its end: then it left its time."""
    checked_at = conditions.stored_object().checked_at
    last = Sentence.store_verified(at=_minute(checked_at)) if checked_at else Sentence.never_verified()
    if damage := open_conditions(OF_CHECKS):
        return wrong(Sentence.damage_found, last=last, damage=[f"{each.code} {each.count:,}" for each in damage])
    run = _last_scheduled_check()
    if run and run.state_type != "COMPLETED" and (checked_at is None or checked_at < (run.start_time or run.end_time)):
        return wrong(Sentence.check_broke_off, last=last, at=_minute(run.end_time))
    return Found(Grade.OK if checked_at else Grade.OFF, last)


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


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
        return off(Sentence.no_key_yet)
    return plain(Grade.OK, "CELLAR_SEAL_KEYS" if settings().seal_keys else str(settings().secret_path("seal")))


def _last_anchor() -> Found:
    found = last_records.find(LastAnchor)
    if found is None:
        return off(Sentence.no_anchor)
    at = _minute(found.at)
    if found.lacks or datetime.now(UTC) - found.at > _OLD_ANCHOR:
        sentence = Sentence.anchor_lacks if found.lacks else Sentence.anchored
        return warning(sentence, number=found.number, at=at, lacks=found.lacks)
    return ok(Sentence.anchored, number=found.number, at=at)


def _last_comparison() -> Found:
    found = last_records.find(Comparison)
    if found is None:
        return off(Sentence.never_compared)
    last = Sentence.never_compared()
    if found.at:
        where = Sentence.compared_with_witness if found.is_of_witness else Sentence.compared_with_itself
        last = where(at=_minute(found.at), number=found.number, count=found.uncovered, erased=found.erased)
    if found.findings:
        return wrong(Sentence.not_as_anchored, last=last, count=found.findings)
    if found.failure or found.at is None:
        return wrong(Sentence.comparison_broke_off, last=last, why=found.failure)
    is_old = datetime.now(UTC) - found.at > _OLD_ANCHOR
    is_weak = witness() is not None and not found.is_of_witness
    return Found(Grade.WARNING if is_old or is_weak else Grade.OK, last)


def _last_backup() -> Found:
    found = last_records.find(LastBackup)
    if found is None:
        return off(Sentence.never_backed_up)
    last = Sentence.never_backed_up()
    if found.at:
        sentence = Sentence.backup_lacks if found.lacks else Sentence.backed_up
        last = sentence(at=_minute(found.at), place=found.location, count=found.lacks)
    if found.failure:
        return wrong(Sentence.backup_broke_off, last=last, why=found.failure)
    if found.lacks:
        return Found(Grade.WRONG, last)
    if found.damaged:
        return warning(Sentence.backup_damaged, last=last, count=found.damaged)
    is_recent = found.at and datetime.now(UTC) - found.at <= _OLD_BACKUP
    if is_recent and (erased := last_ended()):  # old backups end with a new one
        ends_at = erased + timedelta(days=settings().backup_keep_days)
        last = Sentence.backup_has_erased(last=last, at=_minute(ends_at)) if ends_at > datetime.now(UTC) else last
    is_old = settings().backup_location and found.at and not is_recent
    return Found(Grade.WARNING if is_old else Grade.OK, last)


def _last_drill() -> Found:
    found = last_records.find(LastDrill)
    if found is None:
        return off(Sentence.never_drilled)
    if found.failure:
        return wrong(Sentence.drill_failed, at=_minute(found.at), why=found.failure)
    if found.differing:
        return wrong(Sentence.drill_differs, at=_minute(found.at), count=found.differing)
    said = Sentence.drilled(at=_minute(found.at), count=found.archives, seconds=f"{found.took_s:,.0f}")
    return Found(Grade.WARNING if datetime.now(UTC) - found.at > _OLD_DRILL else Grade.OK, said)


def _anchor_key() -> Found:
    """Check the key, but generate none: the first anchor does."""
    if not settings().anchor_key and not settings().secret_path("anchor").exists():
        if last_records.find(LastAnchor):
            return warning(Sentence.anchor_key_gone, path=str(settings().secret_path("anchor")))
        return off(Sentence.no_key_yet)
    settings().active_anchor_key()
    return plain(Grade.OK, "CELLAR_ANCHOR_KEY" if settings().anchor_key else str(settings().secret_path("anchor")))


def _witness() -> Found:
    there = witness()
    if there is None:
        return off(Sentence.no_witness)
    require_place(there)
    there.size("anchors/000001/statement")
    return plain(Grade.OK, str(settings().witness_location))


def _time_zones() -> Found:
    warnings = clock_warnings()
    if not warnings:
        return ok(Sentence.clocks_right)
    found, to_do = ("; ".join(each) for each in zip(*((each.found, each.to_do) for each in warnings), strict=True))
    return plain(Grade.WARNING, found, to_do)


def _people() -> Found:
    """Report addresses that are set and did not take their last letter. Prefect's UI alone shows that too."""
    count = len(settings().people_urls)
    if not count:
        return off(Sentence.no_people)
    now = datetime.now(UTC)
    failing = [each for url in settings().people_urls if (each := addresses.known(masked(url), now)).failing_since]
    if failing:
        since = [f"{each.address} since {each.failing_since:%Y-%m-%d %H:%M} UTC: {each.failure}" for each in failing]
        return plain(Grade.WARNING, "; ".join(since))
    return ok(Sentence.people_hear, count=count)
