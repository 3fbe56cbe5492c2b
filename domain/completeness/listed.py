"""Compares Cellosign's own list of its processes with the archives.

Processes are compared by their numbers, since the list has no reference. Runs with several recipients or templates make
a process each, so numbers are counted too.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from domain.words.catalogue import moment_text
from models.completeness.listed import (
    ArchivedProcess,
    Comparison,
    DifferenceKind,
    Heard,
    ListDifference,
    ListedFinding,
    ListedProcess,
    ListedTime,
    Standing,
)
from models.completeness.processes import Closing, Why
from models.runs.receipt import DEFAULT_SOURCE
from models.sources import SourceTerms

LEAST_LEFT = timedelta(hours=12)
"""A process that is still listed is not deleted yet, so its deadline lies at least this long after the comparison."""

_DAY = timedelta(days=1)
_HINTED_FROM = 3
Key = tuple[str | None, int | None, int | None]
"""Source, process number and transaction number. The transaction number counts where there is no process number."""


@dataclass(frozen=True, slots=True)
class ListTerms:
    """On what terms a list is compared. `timezone` None means that of each source."""

    now: datetime
    of_source: Callable[[str], SourceTerms]
    timezone: str | None = None
    tolerance: timedelta = timedelta(minutes=5)

    def zone(self, source: str | None) -> ZoneInfo:
        return ZoneInfo(self.timezone or self.of_source(source or DEFAULT_SOURCE).timezone)


@dataclass(slots=True)
class _Group:
    listed: list[ListedProcess] = field(default_factory=list)
    archived: list[ArchivedProcess] = field(default_factory=list)


def compare(
    listed: Sequence[ListedProcess], archived: Iterable[ArchivedProcess], heard: Mapping[int, Heard], terms: ListTerms
) -> Comparison:
    """Return how a list and the archives differ, by row and then by number. Pure.

    Args:
        archived: the sessions of the archives that have a number of the list, or were created in its span of time.
        heard: what session events say, by process number. Used for rows without a status, and for deadlines.
    """
    not_due = {each.row for each in listed if not _is_due(each, heard, terms)}
    groups = _grouped(listed, archived)
    found: list[ListDifference] = []
    for group in groups.values():
        found += _compared(group, not_due, heard, terms)
    found += _unknown_there(groups, _spans(listed, terms), terms)
    found.sort(key=lambda each: (not each.rows, each.rows, each.process_number or 0, each.reference or ""))
    apart = {DifferenceKind.MISSING, DifferenceKind.UNKNOWN_THERE}
    missing = {row for each in found if each.kind in apart for row in each.rows}
    with_archive = {row.row for group in groups.values() if group.archived for row in group.listed} - missing
    return Comparison(
        listed=len(listed),
        matched=len(with_archive),
        not_due=len(not_due - with_archive),
        differences=found,
        zone_hint=_zone_hint(found, with_archive),
    )


def span_of(listed: Iterable[ListedProcess], terms: ListTerms) -> tuple[datetime, datetime] | None:
    """Return the first and the last time at which a process of the list was created, None for an empty list."""
    spans = list(_spans(listed, terms).values())
    return (min(first for first, _ in spans), max(last for _, last in spans)) if spans else None


def _is_due(process: ListedProcess, heard: Mapping[int, Heard], terms: ListTerms) -> bool:
    """Return whether an archive of a process is due: it is over, and that not only now."""
    if process.standing is Standing.OPEN:
        return False
    known = heard.get(process.process_number) if process.process_number is not None else None
    is_heard = process.standing is Standing.UNKNOWN and process.ended is None and known is not None
    if is_heard and known and known.submitted_at is None and not known.has_ended:
        return False
    since, _ = _deadline(process, heard, terms)
    return since + terms.of_source(process.source or DEFAULT_SOURCE).archived_within <= terms.now


def _grouped(listed: Iterable[ListedProcess], archived: Iterable[ArchivedProcess]) -> dict[Key, _Group]:
    groups: dict[Key, _Group] = defaultdict(_Group)
    has_sources = by_transaction = False
    for row in listed:
        has_sources = has_sources or row.source is not None
        by_transaction = by_transaction or row.process_number is None
        groups[_key(row.source, row.process_number, row.transaction_number)].listed.append(row)
    for each in archived:
        source = each.source if has_sources else None
        key = _key(source, each.process_number, each.transaction_number)
        if by_transaction and each.transaction_number is not None:
            other = _key(source, None, each.transaction_number)
            key = other if other in groups else key
        groups[key].archived.append(each)
    return groups


def _key(source: str | None, process_number: int | None, transaction_number: int | None) -> Key:
    return source, process_number, transaction_number if process_number is None else None


def _compared(
    group: _Group, not_due: Collection[int], heard: Mapping[int, Heard], terms: ListTerms
) -> Iterator[ListDifference]:
    """Yield the differences of the rows and archives of one process number."""
    for rows, archives in _by_transaction(group):
        ended = [row for row in rows if row.row not in not_due]
        if archives and rows:
            yield from _different_count(rows, ended, archives)
            yield from _different_times(rows, archives, terms)
        elif ended and not archives:
            yield _missing(ended, heard, terms)


def _by_transaction(group: _Group) -> Iterator[tuple[list[ListedProcess], list[ArchivedProcess]]]:
    """Yield rows and archives that belong together: by transaction number, where all rows and archives have one."""
    numbers = {each.transaction_number for each in group.listed}
    numbers |= {each.transaction_number for each in group.archived}
    if None in numbers and group.archived:
        yield group.listed, group.archived
        return
    rows, archives = defaultdict(list), defaultdict(list)
    for row in group.listed:
        rows[row.transaction_number].append(row)
    for each in group.archived:
        archives[each.transaction_number].append(each)
    for number, of_number in rows.items():
        yield of_number, archives[number]


def _different_count(
    rows: Sequence[ListedProcess], ended: Sequence[ListedProcess], archives: Sequence[ArchivedProcess]
) -> Iterator[ListDifference]:
    """Yield a difference unless the rows that may have ended are as many as the archives, or as their sessions."""
    references = len({each.reference for each in archives})
    if any(max(len(ended), 1) <= ours <= len(rows) for ours in (references, len(archives))):
        return
    first = rows[0]
    yield _difference(
        DifferenceKind.DIFFERENT_COUNT,
        first,
        rows=tuple(row.row for row in rows),
        reference=archives[0].reference,
        listed=_times(len(rows)),
        archived=_times(references),
    )


def _difference(kind: DifferenceKind, of: ListedProcess | ArchivedProcess, **how: Any) -> ListDifference:
    return ListDifference(kind, of.source, of.process_number, of.transaction_number, **how)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _different_times(
    rows: Iterable[ListedProcess], archives: Sequence[ArchivedProcess], terms: ListTerms
) -> Iterator[ListDifference]:
    """Yield a difference for each row that was created at another time than every archive of its number."""
    for row in rows:
        zone = terms.zone(row.source)
        ahead = [(_ahead(row.created, each.created_at, zone), each) for each in archives if each.created_at is not None]
        if not ahead:
            continue
        nearest, archive = min(ahead, key=lambda each: abs(each[0]))
        if abs(nearest) > terms.tolerance and archive.created_at:
            yield _difference(
                DifferenceKind.DIFFERENT_TIME,
                row,
                rows=(row.row,),
                reference=archive.reference,
                listed=moment_text(_moments(row.created, zone)[0]),
                archived=moment_text(archive.created_at),
                ahead_s=nearest.total_seconds(),
            )


def _ahead(listed: ListedTime, ours: datetime, zone: ZoneInfo) -> timedelta:
    """Return how much later the list's time is. Within an hour that a clock shows twice, the nearer one counts."""
    moments = _moments(listed, zone)
    if listed.is_day:
        begin, end = moments[0], moments[-1] + _DAY
        return max(begin - ours, timedelta()) if ours < end else end - ours - timedelta(microseconds=1)
    return min((each - ours for each in moments), key=abs)


def _moments(listed: ListedTime, zone: ZoneInfo) -> list[datetime]:
    if listed.stated.tzinfo:
        return [listed.stated.astimezone(UTC)]
    return [listed.stated.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]


def _missing(rows: Sequence[ListedProcess], heard: Mapping[int, Heard], terms: ListTerms) -> ListDifference:
    first = rows[0]
    since, deadline = min((_deadline(row, heard, terms) for row in rows), key=lambda each: each[1])
    return _difference(
        DifferenceKind.MISSING,
        first,
        rows=tuple(row.row for row in rows),
        listed=_times(len(rows)),
        archived="never",
        since=since,
        deadline_at=deadline,
    )


def _deadline(row: ListedProcess, heard: Mapping[int, Heard], terms: ListTerms) -> tuple[datetime, datetime]:
    """Return since when a process is over as far as is known, and the earliest time at which Cellosign deletes it."""
    of_source = terms.of_source(row.source or DEFAULT_SOURCE)
    purged_after = of_source.purged_after_failure if row.standing is Standing.FAILED else of_source.purged_after_success
    submitted_at = heard.get(row.process_number or -1, Heard()).submitted_at
    ended_at = _moments(row.ended, terms.zone(row.source))[0] if row.ended else None
    since = ended_at or submitted_at or _moments(row.created, terms.zone(row.source))[0]
    return since, max(since + purged_after, terms.now + LEAST_LEFT)


def _spans(listed: Iterable[ListedProcess], terms: ListTerms) -> dict[str | None, tuple[datetime, datetime]]:
    """Return the span of time in which the processes of the list were created, by source."""
    spans: dict[str | None, tuple[datetime, datetime]] = {}
    zones: dict[str | None, ZoneInfo] = {}
    for row in listed:
        if row.source not in zones:
            zones[row.source] = terms.zone(row.source)
        moments = _moments(row.created, zones[row.source])
        first, last = spans.get(row.source, (moments[0], moments[0]))
        end = moments[-1] + _DAY if row.created.is_day else moments[-1]
        spans[row.source] = (min(first, moments[0]), max(last, end))
    return spans


def _unknown_there(
    groups: Mapping[Key, _Group], spans: Mapping[str | None, tuple[datetime, datetime]], terms: ListTerms
) -> Iterator[ListDifference]:
    """Yield archives that the list should have and lacks.

    Cellosign deletes what has ended, so only an archive counts that arrived too recently for that.
    """
    for (source, _, _), group in groups.items():
        if source not in spans:
            continue
        listed = {row.transaction_number for row in group.listed}
        first, last = spans[source]
        for each in {each.reference: each for each in reversed(group.archived)}.values():
            kept_until = each.received_at + terms.of_source(each.source).purged_after_success
            is_listed = bool(listed) and (None in listed or each.transaction_number in {None, *listed})
            if is_listed or each.created_at is None or not first <= each.created_at <= last or kept_until <= terms.now:
                continue
            yield _difference(
                DifferenceKind.UNKNOWN_THERE,
                each,
                reference=each.reference,
                listed="never",
                archived=moment_text(each.created_at),
            )


def _zone_hint(found: Iterable[ListDifference], matched: Collection[int]) -> str:
    """Return what to set if most times differ by one and the same number of whole half hours."""
    ahead = Counter(
        round(each.ahead_s / 1800)
        for each in found
        if each.ahead_s is not None and abs(each.ahead_s % 1800 - 900) > 840
    )
    if not ahead:
        return ""
    halves, count = ahead.most_common(1)[0]
    if count < _HINTED_FROM or 2 * count <= len(matched):
        return ""
    direction = "later" if halves > 0 else "earlier"
    return (
        f"{count} of {len(matched)} times are {abs(halves) / 2:g} h {direction} in the list: its time zone is another; "
        "set `timezone` in the file of CELLAR_LIST_COLUMNS"
    )


_STANDING = (None, Closing.DISMISSED)


def listed_id(source: str, process_number: int | None, transaction_number: int | None, earlier: int = 0) -> str:
    """Return the id of the finding of a process that only a list has, after a number of earlier findings. Pure."""
    again = f" {earlier}" if earlier else ""
    return hashlib.sha256(f"listed {source} {process_number} {transaction_number}{again}".encode()).hexdigest()[:32]


def finding_of(missing: ListedFinding, known: Iterable[ListedFinding]) -> ListedFinding | None:
    """Return the finding that a missing process has already, of the findings with one of its numbers. Pure.

    An open finding comes before a closed one. A finding whose deadline has passed is none.
    """
    its = [each for each in known if _is_of(each, missing)]
    return min(its, key=lambda each: (each.closed_why is not None, each.missing_id), default=None)


def _is_of(known: ListedFinding, missing: ListedFinding) -> bool:
    if known.missing_id == missing.missing_id:
        return known.closed_why != Closing.DELETED
    # A list that stands for all sources names no source, and its findings have the source `default`.
    is_same = missing.source in (known.source, DEFAULT_SOURCE)
    is_same = is_same or (known.why == Why.LISTED and known.source == DEFAULT_SOURCE)
    transactions = {known.transaction_number, missing.transaction_number} - {None}
    return known.closed_why in _STANDING and is_same and len(transactions) < 2
