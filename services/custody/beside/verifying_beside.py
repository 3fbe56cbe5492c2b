"""Verifies the files beside the archives, and the keys."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from adapters.files.store import RESULTS_FOLDER, store
from adapters.platform.cancellation import checkpoint
from adapters.store import ocfl, seals
from adapters.store.beside import settlement_reports, sources
from adapters.store.objects import history, kept_discrepancies
from adapters.store.objects.history import Rows
from adapters.tables.archives import archives
from domain.payments.identity import discrepancy_id
from models.errors import Conflict, Locked, Unreadable
from models.payments.discrepancy import DiscrepancyRow
from models.store.fixity import EMPTY_FOLDER, Fault, Fixity, FixityFinding, strange_thing
from services.anchors.newest import wrong_anchors
from services.custody.beside.verifying_endpoints import wrong_endpoints
from services.custody.beside.verifying_events import verify_events
from services.payments.recorded import discrepancy_of


def verify_beside() -> Fixity:
    """Verify the files beside the archives: the files of the OCFL storage root, the key of the fingerprints, the
    definitions of endpoints, the sources, the anchors, the settlement reports and session events, which are named by
    their digests, and the discrepancies that belong to no archive.

    Raises:
        Transient: the store does not answer.
    """
    strange: dict[str, str] = {}
    sizes = dict(store().listed(settlement_reports.FOLDER, strange))
    for folder in (seals.ROOT, seals.ENDPOINTS, RESULTS_FOLDER):
        for _ in store().listed(folder, strange):
            checkpoint()
    paths = (PurePosixPath(key) for key in sizes)
    report_ids = sorted({path.stem for path in paths if str(path.parent) == settlement_reports.FOLDER})
    found = findings(
        [
            (strange_thing(key, what) for key, what in strange.items() if what != EMPTY_FOLDER),
            _wrong_root(),
            wrong_key(seals.FINGERPRINT_KEY, seals.check_fingerprint_key),
            wrong_endpoints(),
            _wrong_sources(),
            wrong_anchors(),
            *map(_wrong_report, report_ids),
            _lost_discrepancies_of_no_archive(sizes),
            *map(_wrong_discrepancies_of_no_archive, sizes),
        ]
    )
    return Fixity(0, len(sizes), sum(sizes.values()), tuple(found)) + verify_events()


def findings(checks: Iterable[Iterable[FixityFinding]]) -> Iterator[FixityFinding]:
    """Yield the findings of several checks. An unreadable file is a finding of its check, and ends no other check."""
    for check in checks:
        try:
            yield from check
        except Unreadable as error:
            yield FixityFinding(error.key, Fault.UNREADABLE, "a readable file", error.reason)


def wrong_key(location: str, check: Callable[[], None]) -> Iterator[FixityFinding]:
    """Check a key. Without it, sealed values are lost although their digests are right."""
    try:
        check()
    except Locked as error:
        fault = Fault.MISSING if store().size(location) is None else Fault.DAMAGED
        yield FixityFinding(location, fault, "a key that CELLAR_SEAL_KEYS opens", str(error))


def contradicts_itself(rows: Rows, reference: str | None) -> bool:
    """Return whether kept discrepancies have another state than their last event, or an id that is not made from them.

    Events and ids are facts of anchors. So whoever rewrites state, code, transaction or subject contradicts a fact.
    """
    found = rows.get("discrepancy", ())
    try:
        events = sorted(rows.get("discrepancy_event", ()), key=lambda each: each["number"])
        last = {each["discrepancy_id"]: each["state"] for each in events}
        said = {_id_of(each, reference): each["state"] for each in found}
    except (ValueError, KeyError, TypeError):
        return True
    return said != last or any(each["discrepancy_id"] not in said for each in found)


def _id_of(row: Mapping[str, Any], reference: str | None) -> str:
    return discrepancy_id(reference, discrepancy_of(DiscrepancyRow.model_validate(row)))


def _wrong_root() -> Iterator[FixityFinding]:
    found = {key: store().found_bytes(key) for key in ocfl.root_files()}
    if found[ocfl.ROOT_DECLARATION] is None and next(archives.references(), None) is None:
        return  # no archive was written yet
    for key, expected in ocfl.root_files().items():
        if found[key] is None:
            yield FixityFinding(key, Fault.MISSING, "a file of the storage root", "nothing")
        elif found[key] != expected:
            yield FixityFinding(key, Fault.DAMAGED, "the file as it was written", "different content")


def _wrong_sources() -> Iterator[FixityFinding]:
    """Find damaged sources, and lost sources of archives. Without a source, its archives are read on other terms."""
    damaged = list[str]()
    known = sources.all_sources(damaged.append)
    for key in damaged:
        yield FixityFinding(key, Fault.DAMAGED, "a source as it was written", "other content")
    for key in (f"{sources.FOLDER}/{name}.json" for name in archives.every_source() if name not in known):
        if key not in damaged and store().size(key) is None:
            yield FixityFinding(key, Fault.MISSING, "the source of archives", "nothing")


def _wrong_report(report_id: str) -> Iterator[FixityFinding]:
    key = settlement_reports.report_key(report_id)
    found = _digest(key)
    if found is None:
        yield FixityFinding(key, Fault.MISSING, "a settlement report", "nothing")
    elif found != report_id:
        yield FixityFinding(key, Fault.DAMAGED, report_id, found)


def _lost_discrepancies_of_no_archive(keys: Iterable[str]) -> Iterator[FixityFinding]:
    changes = kept_discrepancies.kept_changes(None)
    last = kept_discrepancies.key_of(None, changes)
    if changes and not kept_discrepancies.is_kept(last, [*keys, *kept_discrepancies.of_no_archive()]):
        yield FixityFinding(last, Fault.MISSING, "the history of discrepancies", "nothing")


def _wrong_discrepancies_of_no_archive(key: str) -> Iterator[FixityFinding]:
    of_none = key.startswith(f"{kept_discrepancies.OF_NO_ARCHIVE}/") and key.endswith(".json")
    if of_none and not _is_whole(key):
        yield FixityFinding(key, Fault.DAMAGED, "the history as it was written", "a damaged or foreign history")


def _is_whole(key: str) -> bool:
    try:
        rows = history.kept_rows(key)
        return rows is None or not contradicts_itself(rows, None)  # none: it may be set aside
    except Conflict:
        return False


def _digest(key: str) -> str | None:
    digest = hashlib.sha256()
    try:
        for chunk in store().chunks(key):
            checkpoint()
            digest.update(chunk)
    except FileNotFoundError:
        return None
    return digest.hexdigest()
