"""Decides whether a process is missing: from its session events, and from what of it has arrived.

`docs/completeness.md` says the rules in words. The order in which events arrive does not matter.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain

from domain.archive.versions import age_of
from domain.words.catalogue import word
from models.completeness.processes import SessionEventRow, SessionEventType, Why
from models.said import Said
from models.sources import SourceTerms

ALERTS_H = (24, 12, 2)
_WHY = {
    SessionEventType.FORM_SUBMITTED: Why.SUBMITTED,
    SessionEventType.DELETED: Why.DELETED,
    SessionEventType.EXPIRED: Why.EXPIRED,
}
_ENDS = (SessionEventType.DELETED, SessionEventType.EXPIRED)
_OPENING = (SessionEventType.CREATED, SessionEventType.FORM_LOADED, SessionEventType.LOGGED_IN)
_LOOKED_AGAIN_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class ArchivedSession:
    """A session that an archive has, by what tells it from other sessions."""

    session_id: str | None
    process_number: int | None
    transaction_number: int | None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A body that has arrived for the reference of a process, in whatever state.

    `made_at` is the time that Cellosign states, `arrived_at` that of the first arrival. `is_read` is false until its
    version is in the database. `sessions` are those of the current version; None for other versions.
    """

    made_at: datetime
    arrived_at: datetime
    is_read: bool = True
    sessions: tuple[ArchivedSession, ...] | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """What is missing, by the event that says so last."""

    why: Why
    since: datetime
    deadline_at: datetime
    session_id: str | None


class Standing(StrEnum):
    """`arrived`: nothing is missing. `goes_on`: a session is open, or none was ever submitted or ended. `due`: the
    archive is due, and missing from `Decision.look_at` on. `missing`: it is missing.
    """

    ARRIVED = "arrived"
    GOES_ON = "goes_on"
    DUE = "due"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Decision:
    """The standing of a process. `answered` are the ids of the events that are answered for good.

    The other events are looked at again at `look_at`; None if only another event or an archive can change the standing.
    """

    standing: Standing
    missing: Missing | None
    answered: frozenset[str]
    look_at: datetime | None


def decide(
    events: Iterable[SessionEventRow],
    arrivals: Sequence[Arrival],
    answered_at: datetime | None,
    terms: SourceTerms,
    now: datetime,
) -> Decision:
    """Return the standing of a process. Pure; neither order nor repetition of events matters.

    Args:
        events: the events of the process, answered events too.
        arrivals: what has arrived for its reference, from its source.
        answered_at: up to when its earlier findings answer its submissions, dismissed or lost.
    """
    known = sorted({each.event_id: each for each in events}.values(), key=_order)
    live = [each for each in known if not each.is_answered]
    kept = [each for each in arrivals if each.is_read]
    asking = [each for each in _unanswered(live, arrivals, answered_at, terms) if each.type in _WHY]
    open_ones = list(_unanswered(live, kept, answered_at, terms))
    # An end stays open: a submission before it, which arrives later, would make it ask.
    answered = _ids(each for each in live if each.type not in _ENDS) - _ids(open_ones)
    if not asking:
        is_unread = any(each.type in _WHY for each in open_ones)
        standing = Standing.ARRIVED if arrivals or answered_at else Standing.GOES_ON
        return Decision(standing, None, answered, now + _LOOKED_AGAIN_AFTER if is_unread else None)
    if _open_sessions(known, arrivals):
        return Decision(Standing.GOES_ON, None, answered, None)
    found = _missing(asking, terms)
    is_submitted = any(each.type == SessionEventType.FORM_SUBMITTED for each in asking)
    due_at = found.since + terms.archived_within if is_submitted else found.since
    if now < due_at:
        return Decision(Standing.DUE, found, answered, due_at)
    return Decision(Standing.MISSING, found, answered, None)


def alert_due(deadline_at: datetime, alerted_h: int | None, now: datetime) -> int | None:
    """Return the alert that is due: 24, 12 or 2 hours before the deadline; None if none is. Pure.

    Of several that are due, the nearest to the deadline counts. After the deadline none is due.
    """
    left = deadline_at - now
    due = [hours for hours in ALERTS_H if timedelta() < left <= timedelta(hours=hours)]
    return min(due) if due and (alerted_h is None or min(due) < alerted_h) else None


def moment_of(event: SessionEventRow) -> datetime:
    """Return the time of an event that is never later than its arrival: the safe side if a zone is wrong."""
    return min(event.event_at or event.received_at, event.received_at)


def _unanswered(
    live: Sequence[SessionEventRow], arrivals: Sequence[Arrival], answered_at: datetime | None, terms: SourceTerms
) -> Iterator[SessionEventRow]:
    """Yield, in order, the events that no arrival and no earlier finding answers."""
    is_asked = False
    for event in live:
        is_submission = event.type == SessionEventType.FORM_SUBMITTED
        if is_submission:
            is_before = answered_at is not None and moment_of(event) <= answered_at
            answered = is_before or any(_has(each, event, terms) for each in arrivals)
        elif event.type in _WHY:  # an end after the archive is Cellosign's own cleaning
            answered = not is_asked and (answered_at is not None or any(_is_of(each, event) for each in arrivals))
        else:
            answered = not _is_opened_since(event, arrivals) or not event.is_known
        if not answered:
            is_asked = is_asked or is_submission
            yield event


def _has(arrival: Arrival, event: SessionEventRow, terms: SourceTerms) -> bool:
    """Return whether an arrival holds what was submitted. Without better evidence, the times of Cellosign decide."""
    at = _stated_at(event)
    listed = _lists(arrival, event)
    if listed:  # the two webhooks of a submission may leave Cellosign in either order
        return at <= arrival.made_at + terms.archived_within
    if not _is_of(arrival, event) or (listed is False and at > arrival.arrived_at):
        return False
    return at <= arrival.made_at


def _lists(arrival: Arrival, event: SessionEventRow) -> bool | None:
    """Return whether the arrival lists the event's session; None if that cannot be known."""
    sessions = arrival.sessions or ()
    if event.session_id is not None and any(each.session_id for each in sessions):
        return any(each.session_id == event.session_id for each in sessions)
    if event.transaction_number is not None and any(each.transaction_number for each in sessions):
        numbers = {(each.process_number, each.transaction_number) for each in sessions}
        return (event.process_number, event.transaction_number) in numbers
    return None


def _is_of(arrival: Arrival, event: SessionEventRow) -> bool:
    """Return whether an arrival may be of the event's process: several processes can share a reference."""
    numbers = {each.process_number for each in arrival.sessions or ()} - {None}
    return event.process_number is None or not numbers or event.process_number in numbers


def _open_sessions(known: Sequence[SessionEventRow], arrivals: Sequence[Arrival]) -> set[str]:
    """Return the sessions that were opened since the last archive, and neither submitted nor ended."""
    still_open: set[str] = set()
    for event in known:
        if event.type in _OPENING and not event.is_answered and _is_opened_since(event, arrivals):
            still_open |= _session(event)
    over = set(chain.from_iterable(_session(each) for each in known if each.type in _WHY))
    nameless = [each for each in known if each.type in _WHY and not _session(each)]
    if nameless:  # it may have ended any session that was open before
        last = max(map(_order, nameless))
        over |= set(chain.from_iterable(_session(each) for each in known if _order(each) < last))
    return still_open - over


def _is_opened_since(event: SessionEventRow, arrivals: Sequence[Arrival]) -> bool:
    return all(_stated_at(event) > each.made_at for each in arrivals if _is_of(each, event))


def _session(event: SessionEventRow) -> set[str]:
    if event.session_id is not None:
        return {event.session_id}
    return set() if event.transaction_number is None else {f"transaction {event.transaction_number}"}


def _missing(asking: Sequence[SessionEventRow], terms: SourceTerms) -> Missing:
    """Return what the last event says. Cellosign's own deletion at the deadline moves no deadline."""
    first, *later = asking
    found = _said(first, terms)
    for event in later:
        if event.type != SessionEventType.DELETED or moment_of(event) < found.deadline_at:
            found = _said(event, terms)
    return found


def _said(event: SessionEventRow, terms: SourceTerms) -> Missing:
    why, since = _WHY[SessionEventType(event.type)], moment_of(event)
    after = terms.purged_after_success if why is Why.SUBMITTED else terms.purged_after_failure
    return Missing(why, since, since + after, event.session_id)


def _order(event: SessionEventRow) -> tuple[datetime, str]:
    return _stated_at(event), event.event_id


def _stated_at(event: SessionEventRow) -> datetime:
    """Return the time that Cellosign states, or that of the arrival if the stated time cannot be right."""
    return age_of(event.event_at, event.received_at, event.event_id).made_at


def _ids(events: Iterable[SessionEventRow]) -> frozenset[str]:
    return frozenset(each.event_id for each in events)


_TWO_DAYS_MIN = 2 * 24 * 60


def why_text(why: str) -> str:
    """Return why a process is missing, like `submitted, and not archived`. Pure."""
    return word(Said(f"missing_{why}"))


def left_text(deadline_at: datetime, now: datetime) -> str:
    """Return the time left, rounded down, like `6 days left`, `17 hours left` or `deadline passed`. Pure."""
    left = deadline_at - now
    if left <= timedelta():
        return "deadline passed"
    minutes = int(left.total_seconds() // 60)
    if minutes >= _TWO_DAYS_MIN:
        return f"{minutes // 1440} days left"
    count, unit = (minutes // 60, "hour") if minutes >= 60 else (minutes, "minute")
    return f"{count} {unit}{'' if count == 1 else 's'} left"


def missing_text(why: str, since: datetime, deadline_at: datetime, now: datetime) -> str:
    """Return a line such as `submitted, and not archived, since 2026-01-01 12:00 UTC; 17 hours left`. Pure."""
    return f"{why_text(why)}, since {since:%Y-%m-%d %H:%M} UTC; {left_text(deadline_at, now)}"


def hours_left(deadline_at: datetime, now: datetime) -> int:
    """Return the full hours left; 0 after the deadline. Pure."""
    return max(0, int((deadline_at - now).total_seconds() // 3600))
