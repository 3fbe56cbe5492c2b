"""Counts by the hour, or by another step, what happened. Each count reads a range of an index and nothing else."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sql
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select

from adapters.tables.messages.notifications import IS_SKIPPED, IS_UNDELIVERED
from models.columns import Moment
from models.completeness.processes import MissingProcessRow
from models.discrepancies import DiscrepancyEventRow, DiscrepancyRow, DiscrepancyState
from models.messages.notification import NotificationRow
from models.runs.receipt import DeliveryRow, ReceiptRow, RefusedRow, RunRow
from models.views.overview import Counted, Levels

HOUR = timedelta(hours=1)
_FEW = 25
_TENTHS = 10
_S_PER_DAY = 86_400
# Literals, not parameters: only then both databases use the indexes that have these conditions.
IS_FAILED: sql.ColumnElement[bool] = col(RunRow.state) == sql.literal_column("'Failed'")
_NOT_KEPT = "UNKNOWN"


def counted(session: Session, hours: Sequence[datetime], step: timedelta = HOUR) -> dict[datetime, Counted]:
    """Return what happened within each of some hours, or of some spans of another `step`, by its begin."""
    if not hours:
        return {}
    them = _Hours(session, hours, step)
    numbers, durations, failed, discrepancies = them.numbers(), them.durations(), them.failures(), them.discrepancies()
    return {
        each: Counted(
            arrived=numbers[each].arrived,
            completed=sum(durations[each].values()),
            refused=numbers[each].refused,
            failed=failed[each],
            durations_s=durations[each],
            discrepancies=discrepancies[each],
            missing=numbers[each].opened - numbers[each].closed,
            undelivered=numbers[each].planned - numbers[each].skipped - numbers[each].delivered,
        )
        for each in hours
    }


def first_at(session: Session) -> datetime | None:
    """Return when the first delivery arrived, accepted or refused; None before."""
    firsts = [session.exec(select(func.min(each.received_at))).one() for each in (DeliveryRow, RefusedRow)]
    return min((each for each in firsts if each), default=None)


def of_source(session: Session, source: str, hours: Sequence[datetime]) -> list[Any]:
    """Return, by hour, how many deliveries of a source arrived and how many were refused: `since, arrived, refused`."""
    return sorted(_Hours(session, hours, HOUR).of_source(source))


def levels(session: Session) -> Levels:
    """Return what stands open now."""

    def _number(table: Any, condition: sql.ColumnElement[bool]) -> int:
        return session.exec(select(func.count()).select_from(table).where(condition)).one()

    return Levels(
        discrepancies=_number(DiscrepancyRow, col(DiscrepancyRow.state) == DiscrepancyState.OPEN),
        missing=_number(MissingProcessRow, col(MissingProcessRow.closed_at).is_(None)),
        undelivered=_number(NotificationRow, IS_UNDELIVERED),
    )


class _Hours:
    """Hours as a table of a query: a query for all hours costs a hundredth of a query for each."""

    def __init__(self, session: Session, hours: Sequence[datetime], step: timedelta) -> None:
        self._session = session
        self._hours = hours
        self._table = _few(hours, step) if len(hours) <= _FEW else _many(hours, step)

    def numbers(self) -> Mapping[datetime, Any]:
        """Return the numbers of rows by the hour of a column."""
        numbers = [
            self._number(DeliveryRow.received_at).label("arrived"),
            self._number(RefusedRow.received_at).label("refused"),
            self._number(MissingProcessRow.opened_at).label("opened"),
            self._number(MissingProcessRow.closed_at).label("closed"),
            self._number(NotificationRow.planned_at).label("planned"),
            self._number(NotificationRow.planned_at, IS_SKIPPED).label("skipped"),
            self._number(NotificationRow.delivered_at).label("delivered"),
        ]
        return {row.since: row for row in self._rows(sql.select(self._table.c.since, *numbers))}

    def of_source(self, source: str) -> Any:
        """Return rows of an hour, and the numbers of its deliveries and refused deliveries of a source."""
        arrived = self._number(DeliveryRow.received_at, col(DeliveryRow.source) == source).label("arrived")
        refused = self._number(RefusedRow.received_at, col(RefusedRow.source) == source).label("refused")
        return self._rows(sql.select(self._table.c.since, arrived, refused))

    def _number(self, at: Any, *conditions: sql.ColumnElement[bool]) -> Any:
        theirs = sql.select(sql.func.count()).where(self._within(at), *conditions)
        return theirs.correlate(self._table).scalar_subquery()

    def durations(self) -> Mapping[datetime, dict[float, int]]:
        """Return the numbers of completions by their time in seconds, which is rounded to two digits."""
        tenths = self._tenths(ReceiptRow.received_at, ReceiptRow.completed_at)
        found: dict[datetime, dict[float, int]] = defaultdict(lambda: defaultdict(int))
        for hour, value, number in self._rows(self._counted(tenths, ReceiptRow.completed_at)):
            found[hour][float(f"{max(value, 0) / _TENTHS:.2g}")] += number
        return found

    def failures(self) -> Mapping[datetime, dict[str, int]]:
        """Return the numbers of failed runs by cause."""
        found: dict[datetime, dict[str, int]] = defaultdict(dict)
        failed = self._counted(col(RunRow.cause_code), RunRow.ended_at).where(IS_FAILED)
        for hour, code, number in self._rows(failed):
            found[hour][code or _NOT_KEPT] = number
        return found

    def discrepancies(self) -> Mapping[datetime, int]:
        """Return by how many more discrepancies were open at the end. An explained discrepancy was closed before."""
        event, before = DiscrepancyEventRow, aliased(DiscrepancyEventRow)
        the_one_before = (col(before.discrepancy_id) == event.discrepancy_id) & (col(before.number) == event.number - 1)
        # Not a join: Postgres would read all events for it.
        state_before = sql.select(col(before.state)).where(the_one_before).correlate(event).scalar_subquery()
        more = sql.func.sum(_is_open(col(event.state)) - _is_open(state_before))
        joined = sql.select(self._table.c.since, more).join_from(self._table, event, self._within(event.at))
        found: dict[datetime, int] = defaultdict(int)
        found |= dict(tuple(row) for row in self._rows(joined.group_by(self._table.c.since)))
        return found

    def _counted(self, by: Any, at: Any) -> sql.Select[Any]:
        """Select the numbers of rows by the hour of a column, and by another value of theirs."""
        since = self._table.c.since
        return sql.select(since, by, sql.func.count()).where(self._within(at)).group_by(since, by)

    def _within(self, at: Any) -> sql.ColumnElement[bool]:
        return (col(at) >= self._table.c.since) & (col(at) < self._table.c.until)

    def _tenths(self, begin: Any, end: Any) -> sql.ColumnElement[int]:
        """Return the time between two columns in tenths of a second."""
        if self._session.get_bind().dialect.name == "postgresql":
            seconds: Any = sql.func.extract("epoch", col(end) - col(begin))
        else:
            seconds = (
                sql.func.julianday(end, type_=sql.Float) - sql.func.julianday(begin, type_=sql.Float)
            ) * _S_PER_DAY
        return sql.func.cast(sql.func.round(seconds * _TENTHS), sql.Integer)

    def _rows(self, statement: sql.Select[Any]) -> Any:
        return self._session.connection().execute(statement)


def _few(hours: Sequence[datetime], step: timedelta) -> sql.CTE:
    """Return hours as a table by selects, which SQLAlchemy compiles once."""
    rows = [
        sql.select(sql.literal(each, Moment()).label("since"), sql.literal(each + step, Moment()).label("until"))
        for each in hours
    ]
    return sql.union_all(*rows).cte("hour")


def _many(hours: Sequence[datetime], step: timedelta) -> sql.CTE:
    """Return hours as a table by VALUES, which is compiled each time. SQLite takes 500 selects at most."""
    its = sql.values(sql.column("since", Moment()), sql.column("until", Moment()), name="hour")
    return its.data([(each, each + step) for each in hours]).cte()


def _is_open(state: Any) -> sql.ColumnElement[int]:
    return sql.case((state == DiscrepancyState.OPEN, 1), else_=0)
