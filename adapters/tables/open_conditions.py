"""Finds every open condition. Each is decided by its line of `_ROWS`, or where its row of `condition` is written.

All faces read what is found here: status, failures, the overview, letters to people, and metrics.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain, product
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, String, bindparam, literal_column, null, or_
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select

from adapters.database.transactions import reading
from adapters.search.attention import IS_OPEN
from adapters.settings.settings import settings
from adapters.tables.holds import IS_DUE
from adapters.tables.messages.notifications import IS_UNDELIVERED
from adapters.tables.people.logins import IS_BREAK_GLASS, SHOWN_FOR
from models.access import UnsentAccessRow
from models.archive.archive import ArchiveRow, State
from models.columns import Moment
from models.completeness.processes import MissingProcessRow
from models.discrepancies import DiscrepancyRow, DiscrepancyState
from models.erasures import TombstoneRow
from models.messages.notification import EndpointRow, EventRow, EventType, NotificationRow, NotificationState
from models.people import LoginRow
from models.runs.receipt import RefusedRow, WaitingRow
from models.store.condition import (
    ALL_CODES,
    OF_CHECKS,
    OF_COMPARISONS,
    AnyCode,
    ConditionCode,
    ConditionRow,
    DerivedCode,
    Severity,
    Subject,
)
from models.views.troubles import ConditionGroup

NOT_KEPT = "UNKNOWN"
"""The cause of an archive that failed before causes were kept."""

_NUMBER = func.count()


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows that are open conditions of a code: one condition for each `key`, and each value of `by`.

    `count`: findings or messages, where they are other than the rows. `values`: aggregates. `source`: of a row.
    """

    kind: Subject
    key: Any
    where: tuple[Any, ...] = ()
    at: tuple[Any, Any] = (null(), null())
    severity: Severity = Severity.WRONG
    subjects: Any = _NUMBER
    count: Any = None
    by: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    source: Any = None


def _span(at: Any) -> tuple[Any, Any]:
    return func.min(at, type_=Moment()), func.max(at, type_=Moment())


def _a_day_ago() -> datetime:
    return datetime.now(UTC) - SHOWN_FOR


def _two_hours_ago() -> datetime:
    return datetime.now(UTC) - timedelta(hours=2)


def _an_hour_ago() -> datetime:
    """Return since when a row of the access log may wait. Where nobody takes the log any more, none waits."""
    return datetime.now(UTC) - timedelta(hours=1) if settings().access_log_url else datetime.min.replace(tzinfo=UTC)


def _in_row(name: str) -> Any:
    return col(ConditionRow.values)[name].as_string()


_SOURCE = bindparam("its_source", None, String)
_OTHER = aliased(ArchiveRow)
_IS_FAILED: ColumnElement[str] = literal_column(f"'{State.FAILED}'")
"""A literal, as an index on these rows has it: a parameter would not use it."""
_LAST_SENTENCE = (
    select(col(_OTHER.cause_values)["sentence"].as_string())
    .where(
        _OTHER.state == _IS_FAILED,
        col(_OTHER.cause_code).is_not_distinct_from(ArchiveRow.cause_code),
        col(_OTHER.cause_task).is_not_distinct_from(ArchiveRow.cause_task),
        or_(_SOURCE.is_(None), col(_OTHER.source) == _SOURCE),
    )
    .order_by(col(_OTHER.cause_since).desc())
    .limit(1)
    .correlate(ArchiveRow)
    .scalar_subquery()
)
_ITS_PENDING = (
    select(func.count())
    .where(NotificationRow.endpoint_name == EndpointRow.name, NotificationRow.state == NotificationState.PENDING)
    .correlate(EndpointRow)
    .scalar_subquery()
)
_IS_THERE = col(EndpointRow.removed_at).is_(None)
_IS_DISABLED = col(EndpointRow.disabled_at).is_not(None)
_IS_OF_KNOWN = col(NotificationRow.endpoint_name).in_(select(EndpointRow.name).where(_IS_THERE))

_ROWS: Mapping[AnyCode, _Rows] = {
    DerivedCode.ARCHIVE_FAILED: _Rows(
        Subject.ARCHIVE,
        col(ArchiveRow.cause_code),
        (col(ArchiveRow.state) == _IS_FAILED,),
        _span(func.coalesce(ArchiveRow.cause_since, ArchiveRow.received_at, type_=Moment())),
        by={"task": col(ArchiveRow.cause_task)},
        values={"sentence": _LAST_SENTENCE},
        source=col(ArchiveRow.source),
    ),
    ConditionCode.RUN_FAILED: _Rows(
        Subject.ARCHIVE,
        _in_row("cause"),
        (col(ConditionRow.code) == ConditionCode.RUN_FAILED,),
        (_span(ConditionRow.since)[0], _span(ConditionRow.found_at)[1]),
        count=func.sum(ConditionRow.count),
        by={"task": _in_row("task")},
        values={"sentence": func.max(_in_row("sentence"))},
        source=select(ArchiveRow.source)
        .where(ArchiveRow.reference == ConditionRow.subject)
        .correlate(ConditionRow)
        .scalar_subquery(),
    ),
    DerivedCode.PROCESS_MISSING: _Rows(
        Subject.PROCESS,
        col(MissingProcessRow.source),
        (col(MissingProcessRow.closed_at).is_(None),),
        _span(MissingProcessRow.opened_at),
        by={"why": col(MissingProcessRow.why)},
        values={"deadline_at": func.min(MissingProcessRow.deadline_at, type_=Moment())},
    ),
    DerivedCode.SYSTEM_AWAY: _Rows(
        Subject.SYSTEM, col(WaitingRow.waits_for), at=_span(WaitingRow.since), severity=Severity.INFO
    ),
    DerivedCode.DELIVERY_REFUSED: _Rows(
        Subject.DELIVERY,
        col(RefusedRow.code),
        (IS_OPEN,),
        _span(RefusedRow.received_at),
        Severity.WARNING,
        func.count(col(RefusedRow.receipt_id).distinct()),
    ),
    DerivedCode.REQUESTS_REFUSED: _Rows(
        Subject.SYSTEM,
        sqlalchemy.cast(literal_column("'webhook'"), String),
        (
            col(EventRow.type) == EventType.RECEIVER_REFUSING,
            col(EventRow.at) > bindparam("refused", callable_=_two_hours_ago, type_=Moment()),
        ),
        _span(EventRow.at),
        Severity.WARNING,
    ),
    DerivedCode.DISCREPANCY_OPEN: _Rows(
        Subject.DISCREPANCY,
        col(DiscrepancyRow.code),
        # The first condition repeats the second for the index.
        (
            col(DiscrepancyRow.state) != literal_column(f"'{DiscrepancyState.CLOSED}'"),
            col(DiscrepancyRow.state) == DiscrepancyState.OPEN,
        ),
        severity=Severity.WARNING,
    ),
    DerivedCode.ENDPOINT_FAILING: _Rows(
        Subject.ENDPOINT,
        col(EndpointRow.name),
        (_IS_THERE, ~_IS_DISABLED, col(EndpointRow.failing_since).is_not(None)),
        _span(EndpointRow.failing_since),
        Severity.WARNING,
        count=_ITS_PENDING,
    ),
    DerivedCode.ENDPOINT_DISABLED: _Rows(
        Subject.ENDPOINT,
        col(EndpointRow.name),
        (_IS_THERE, _IS_DISABLED),
        _span(EndpointRow.disabled_at),
        Severity.INFO,
    ),
    DerivedCode.BREAK_GLASS_USED: _Rows(
        Subject.SYSTEM,
        col(LoginRow.person),
        (IS_BREAK_GLASS, col(LoginRow.ends_at) > bindparam("ended", callable_=_a_day_ago, type_=Moment())),
        _span(LoginRow.began_at),
        Severity.WARNING,
    ),
    DerivedCode.ACCESS_LOG_UNSENT: _Rows(
        Subject.SYSTEM,
        sqlalchemy.cast(literal_column("'CELLAR_ACCESS_LOG_URL'"), String),  # Postgres orders by no bare text
        (col(UnsentAccessRow.at) < bindparam("waited", callable_=_an_hour_ago, type_=Moment()),),
        _span(UnsentAccessRow.at),
        Severity.WARNING,
    ),
    **{
        code: _Rows(
            Subject.SYSTEM,
            col(ConditionRow.subject),
            (col(ConditionRow.code) == code,),
            (_span(ConditionRow.since)[0], _span(ConditionRow.found_at)[1]),
            count=func.sum(ConditionRow.count),
        )
        for code in (ConditionCode.STORE_UNCHECKED, ConditionCode.BACKUP_FAILED, ConditionCode.TOMBSTONES_UNSENT)
    },
    DerivedCode.ERASED_RETURNED: _Rows(
        Subject.DELIVERY,
        col(TombstoneRow.batch_id),
        (col(TombstoneRow.last_returned_at) > bindparam("ended", callable_=_a_day_ago, type_=Moment()),),
        _span(TombstoneRow.last_returned_at),
        Severity.WARNING,
        count=func.sum(TombstoneRow.returned),
    ),
    DerivedCode.RETENTION_DUE: _Rows(
        Subject.ARCHIVE,
        col(ArchiveRow.due_action),
        (IS_DUE,),
        _span(ArchiveRow.due_at),
        Severity.WARNING,
        source=col(ArchiveRow.source),
    ),
    ConditionCode.TIME_STAMP_ENDS: _Rows(
        Subject.SYSTEM,
        _in_row("ends_on"),
        (col(ConditionRow.code) == ConditionCode.TIME_STAMP_ENDS,),
        (_span(ConditionRow.since)[0], _span(ConditionRow.found_at)[1]),
        Severity.WARNING,
    ),
    DerivedCode.MESSAGES_DEAD: _Rows(
        Subject.MESSAGE,
        col(NotificationRow.endpoint_name),
        (IS_UNDELIVERED, NotificationRow.state == NotificationState.DEAD, _IS_OF_KNOWN),
        _span(NotificationRow.planned_at),
        Severity.WARNING,
    ),
}


def open_conditions(codes: Collection[AnyCode] = ALL_CODES, source: str | None = None) -> list[ConditionGroup]:
    """Return what is wrong now, by code in the order of the codes; of a code, what concerns most first.

    Args:
        codes: what is looked for.
        source: a source, to which failures of archives and runs are limited. All else is of all sources.
    """
    with reading() as session:
        of_rows = [_found(session, code, _ROWS[code], source) for code in codes if code in _ROWS]
        found = [*chain(*of_rows), *_of_checks(session, codes)]
    return sorted(found, key=lambda each: ALL_CODES.index(each.code))


def open_numbers(code: AnyCode) -> dict[str, int]:
    """Return of how many subjects a condition is open, by key."""
    return dict(sorted((each.key, each.subjects) for each in open_conditions((code,))))


def newest_of(code: AnyCode, key: str, most: int) -> list[str]:
    """Return the references of the newest archives that have a condition of runs with a key."""
    its, at = ConditionRow.subject, ConditionRow.found_at
    if code == DerivedCode.ARCHIVE_FAILED:
        its, at = ArchiveRow.reference, ArchiveRow.received_at
    where = (*_ROWS[code].where, _ROWS[code].key.is_not_distinct_from(None if key == NOT_KEPT else key))
    with reading() as session:
        return [*session.scalars(select(its).where(*where).order_by(col(at).desc()).limit(most))]


def every_label() -> list[tuple[str, str, str]]:
    """Return subject, code and severity of every condition that can be open."""
    of_rows: list[tuple[str, str, str]] = [(each.kind, code, each.severity) for code, each in _ROWS.items()]
    of_checks = product((Subject.ARCHIVE, Subject.STORE), OF_CHECKS | OF_COMPARISONS, (Severity.WRONG,))
    return [*of_rows, *of_checks]


def _found(session: Session, code: AnyCode, of: _Rows, source: str | None) -> Iterator[ConditionGroup]:
    its = {"key": of.key, **of.by}
    found = {"subjects": of.subjects, "count": of.count, "first_at": of.at[0], "last_at": of.at[1], **of.values}
    columns = [each.label(f"its_{name}") for name, each in (its | found).items() if each is not None]
    where = (*of.where, of.source == source) if source and of.source is not None else of.where
    asked = sqlalchemy.select(*columns).where(*where).group_by(*its.values())
    ordered = asked.order_by(of.subjects.desc(), *its.values())
    for row in session.execute(ordered, {"its_source": source}).mappings():
        told: dict[str, Any] = {name: row.get(f"its_{name}") for name in its | found}
        shown = {name: told.pop(name) for name in (*of.by, *of.values)}
        if sentence := shown.get("sentence"):
            shown["sentence"] = json.loads(sentence)
        told["count"] = told["subjects"] if told["count"] is None else told["count"]
        told["key"] = told["key"] or NOT_KEPT
        yield ConditionGroup(code=code, kind=of.kind, severity=of.severity, values=shown, **told)


def _of_checks(session: Session, codes: Collection[AnyCode]) -> Iterator[ConditionGroup]:
    """Yield what checks and comparisons of the store have found, of archives and of the store itself."""
    first_at, last_at = _span(ConditionRow.since)[0], _span(ConditionRow.found_at)[1]
    its = col(ConditionRow.kind), col(ConditionRow.code)
    asked = sqlalchemy.select(*its, func.count(), func.sum(ConditionRow.count), first_at, last_at)
    of_codes = asked.where(its[1].in_((OF_CHECKS | OF_COMPARISONS).intersection(codes))).group_by(*its).order_by(*its)
    names = ("kind", "code", "subjects", "count", "first_at", "last_at")
    for row in session.execute(of_codes):
        yield ConditionGroup(severity=Severity.WRONG, **dict(zip(names, row, strict=True)))
