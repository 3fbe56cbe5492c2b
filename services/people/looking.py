"""Looks at the installation for what people are told of: at the database alone."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy.orm import Mapped
from sqlmodel import col, func, select

from adapters.database.transactions import reading
from adapters.tables import conditions
from adapters.tables.people import notices
from adapters.tables.runs import waiting
from domain.people.deciding import MANNERS
from domain.people.words import counts_text, ended_text, missing_text
from models.archive.archive import ArchiveRow, State
from models.columns import Moment
from models.completeness.processes import Closing, MissingProcessRow
from models.errors import System
from models.messages.endpoint import EndpointRow
from models.messages.notification import NotificationRow, NotificationState
from models.people.notice import Notice, NoticeKind, Sighting
from models.runs.receipt import RefusedRow

Known = Mapping[tuple[NoticeKind, str], Notice]
_ALERTED = (timedelta(hours=24), timedelta(hours=12), timedelta(hours=2))
_OF_NO_OUTAGE = {System.ENDPOINT, System.OTHER_RUN}  # endpoints have notices of their own


@dataclass(frozen=True, slots=True)
class Look:
    """What was found, and the kinds that were looked for. All other kinds are reported."""

    sightings: list[Sighting]
    kinds: set[NoticeKind]


def look(known: Known, now: datetime) -> Look:
    """Return what is wrong now. `known` are the open notices.

    Raises:
        Transient: the database does not answer.
    """
    return Look([each for search in _SEARCHES.values() for each in search(known, now)], set(_SEARCHES))


def _failures(_known: Known, now: datetime) -> Iterator[Sighting]:
    since = func.coalesce(ArchiveRow.cause_since, ArchiveRow.received_at, type_=Moment())
    code, sentence = col(ArchiveRow.cause_code), func.max(ArchiveRow.cause_sentence)
    counted = select(code, func.count(), func.min(since), func.max(since), sentence)  # type: ignore[call-overload]
    with reading() as session:
        rows = session.exec(counted.where(ArchiveRow.state == State.FAILED).group_by(code)).all()
    for code, archives, first_at, last_at, said in rows:
        yield Sighting(NoticeKind.ARCHIVES_FAILED, code or "UNKNOWN", archives, first_at, last_at, said or "")


def _waits(_known: Known, _now: datetime) -> Iterator[Sighting]:
    for each in waiting.summary():
        if each.waits_for not in _OF_NO_OUTAGE:
            yield Sighting(NoticeKind.SYSTEM_AWAY, each.waits_for, each.runs, each.since, each.since)


def _failed_runs(_known: Known, _now: datetime) -> Iterator[Sighting]:
    for each in conditions.failed_runs():
        key = f"{each.code} in {each.task}" if each.task else each.code
        yield Sighting(NoticeKind.RUNS_FAILED, key, each.archives, each.first_at, each.last_at, each.sentence)


def _damage(_known: Known, _now: datetime) -> Iterator[Sighting]:
    damage = conditions.damage()
    if damage:
        first_at, last_at = min(each.first_at for each in damage), max(each.last_at for each in damage)
        yield Sighting(NoticeKind.STORE_DAMAGED, "", sum(each.count for each in damage), first_at, last_at)


def _refusals(known: Known, now: datetime) -> Iterator[Sighting]:
    """Yield the refused deliveries since the notice began; without a notice, those of the last hours after the last."""
    at, code = col(RefusedRow.received_at), col(RefusedRow.code)
    if notice := known.get((NoticeKind.DELIVERIES_REFUSED, "")):
        new = at >= notice.opened_at
    else:
        quiet_for = MANNERS[NoticeKind.DELIVERIES_REFUSED].quiet_for or timedelta(0)
        new = at > max(now - quiet_for, notices.last_closed(NoticeKind.DELIVERIES_REFUSED, "") or now - quiet_for)
    with reading() as session:
        counted = select(code, func.count(), func.min(at), func.max(at)).where(new).group_by(code)
        rows = session.exec(counted.order_by(func.count().desc(), code)).all()
    if rows:
        by_code, firsts, lasts = [(row[0], row[1]) for row in rows], [row[2] for row in rows], [row[3] for row in rows]
        count = sum(each for _, each in by_code)
        yield Sighting(NoticeKind.DELIVERIES_REFUSED, "", count, min(firsts), max(lasts), counts_text(by_code))


def _missing(known: Known, now: datetime) -> Iterator[Sighting]:
    """Yield, of each source, the processes that Cellosign deletes within 24 hours.

    `level` is the number of alerts that are due for the first of them, `last_at` the time of the newest of all alerts.
    """
    is_open = col(MissingProcessRow.closed_at).is_(None)
    soon = is_open & (col(MissingProcessRow.deadline_at) <= now + _ALERTED[0])
    with reading() as session:
        rows = session.exec(select(MissingProcessRow.source, MissingProcessRow.deadline_at).where(soon)).all()
    deadlines: dict[str, list[datetime]] = {}
    for source, deadline_at in rows:
        deadlines.setdefault(source, []).append(deadline_at)
    for source, theirs in deadlines.items():
        alerts = [each - before for each in theirs for before in _ALERTED if each - before <= now]
        first = min(theirs)
        level = sum(first - before <= now for before in _ALERTED)
        said = missing_text(theirs, now)
        yield Sighting(NoticeKind.PROCESSES_MISSING, source, len(theirs), min(alerts), max(alerts), said, level)
    for kind, source in known:
        if kind == NoticeKind.PROCESSES_MISSING and source not in deadlines:
            yield Sighting(NoticeKind.PROCESSES_MISSING, source, 0, now, now, _ended(known[kind, source]))


def _ended(notice: Notice) -> str:
    """Return what became of the processes that people were told of."""
    closed_at, deadline_at = col(MissingProcessRow.closed_at), col(MissingProcessRow.deadline_at)
    closed = select(MissingProcessRow.closed_why, closed_at, deadline_at).where(
        MissingProcessRow.source == notice.key, closed_at >= notice.opened_at
    )
    with reading() as session:
        rows = session.exec(closed).all()
    closings = Counter(why for why, at, deadline in rows if at and at >= deadline - _ALERTED[0])
    return ended_text(closings[Closing.ARCHIVED], closings[Closing.DELETED], closings[Closing.DISMISSED])


def _endpoints(_known: Known, _now: datetime) -> Iterator[Sighting]:
    """Yield the endpoints that do not confirm, with the messages that wait for them."""
    pending = (
        select(func.count())
        .where(NotificationRow.endpoint_name == EndpointRow.name, NotificationRow.state == NotificationState.PENDING)
        .scalar_subquery()
    )
    failing = select(EndpointRow.name, _there(EndpointRow.failing_since), pending).where(
        col(EndpointRow.failing_since).is_not(None),
        col(EndpointRow.disabled_at).is_(None),
        col(EndpointRow.removed_at).is_(None),
    )
    with reading() as session:
        for name, since, messages in session.exec(failing).all():
            yield Sighting(NoticeKind.ENDPOINT_FAILING, name, messages, since, since)


def _disabled(_known: Known, _now: datetime) -> Iterator[Sighting]:
    disabled = select(EndpointRow.name, _there(EndpointRow.disabled_at), EndpointRow.disabled_why).where(
        col(EndpointRow.disabled_at).is_not(None), col(EndpointRow.removed_at).is_(None)
    )
    with reading() as session:
        for name, at, why in session.exec(disabled).all():
            yield Sighting(NoticeKind.ENDPOINT_DISABLED, name, 1, at, at, why or "no reason is kept")


def _dead(_known: Known, _now: datetime) -> Iterator[Sighting]:
    name, at = col(NotificationRow.endpoint_name), col(NotificationRow.planned_at)
    there = select(EndpointRow.name).where(col(EndpointRow.removed_at).is_(None))
    is_dead = NotificationRow.state == NotificationState.DEAD
    dead = select(name, func.count(), func.min(at), func.max(at)).where(is_dead, name.in_(there)).group_by(name)
    with reading() as session:
        for endpoint, messages, first_at, last_at in session.exec(dead).all():
            yield Sighting(NoticeKind.MESSAGES_DEAD, endpoint, messages, first_at, last_at)


def _there(moment: datetime | None) -> Mapped[datetime]:
    """Return a column that is never null in the rows that are selected."""
    return cast(Mapped[datetime], moment)


_SEARCHES: Mapping[NoticeKind, Callable[[Known, datetime], Iterator[Sighting]]] = {
    NoticeKind.ARCHIVES_FAILED: _failures,
    NoticeKind.RUNS_FAILED: _failed_runs,
    NoticeKind.SYSTEM_AWAY: _waits,
    NoticeKind.STORE_DAMAGED: _damage,
    NoticeKind.DELIVERIES_REFUSED: _refusals,
    NoticeKind.PROCESSES_MISSING: _missing,
    NoticeKind.ENDPOINT_FAILING: _endpoints,
    NoticeKind.ENDPOINT_DISABLED: _disabled,
    NoticeKind.MESSAGES_DEAD: _dead,
}
