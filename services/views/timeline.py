"""The timeline of a process: what happened to it, from all tables, oldest first."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session, SQLModel, col, select

from adapters.database.transactions import reading
from adapters.tables.completeness import session_events
from models.completeness.processes import MissingProcessRow
from models.messages.notification import NotificationAttemptRow, NotificationRow, NotificationState
from models.payments import DiscrepancyEventRow, DiscrepancyRow, DiscrepancyState
from models.people.action import ActionKind, ActionRow
from models.runs.receipt import ACCEPTED_BY, DeliveryRow, RefusedRow, VersionRow
from models.runs.run import RunRow
from models.views.archives.archives import TimelineEntry, TimelineKind

MOST_ENTRIES = 500
_DONE = {
    ActionKind.RERUN: "asked for a re-run",
    ActionKind.EXPORT: "exported the archive",
    ActionKind.RELEASE: "released a refused body",
}


def timeline(session: Session, reference: str) -> list[TimelineEntry]:
    """Return the last 500 entries of a process, oldest first. No person who signs is in it."""
    found = [
        *_deliveries(session, reference),
        *_versions(session, reference),
        *_runs(session, reference),
        *_findings(session, reference),
        *_messages(session, reference),
        *_events(session, reference),
        *_actions(session, reference),
    ]
    return sorted(found, key=lambda each: (each.at, each.kind, each.id))[-MOST_ENTRIES:]


def timeline_of(reference: str) -> list[TimelineEntry]:
    """Return the timeline of a process, which may have no archive.

    Raises:
        Transient: the database does not answer.
    """
    with reading() as session:
        return timeline(session, reference)


def _last(session: Session, table: type[SQLModel], by: Any, reference: str) -> Sequence[Any]:
    theirs = SQLModel.metadata.tables[str(table.__tablename__)].c.reference == reference
    return session.exec(select(table).where(theirs).order_by(col(by).desc()).limit(MOST_ENTRIES)).all()


def _entry(at: datetime, kind: TimelineKind, what: str, key: str, by: str | None = None) -> TimelineEntry:
    return TimelineEntry(at=at, kind=kind, what=what, by=by, id=key)


def _deliveries(session: Session, reference: str) -> Iterator[TimelineEntry]:
    for each in _last(session, DeliveryRow, DeliveryRow.received_at, reference):
        if by := each.headers.get(ACCEPTED_BY):
            done = "accepted what another source sent"
            yield _entry(each.received_at, TimelineKind.ACTION, done, each.delivery_id, by)
        else:
            yield _entry(each.received_at, TimelineKind.DELIVERY, each.outcome, each.delivery_id)
    for each in _last(session, RefusedRow, RefusedRow.received_at, reference):
        yield _entry(each.received_at, TimelineKind.DELIVERY, f"refused: {each.code}", each.delivery_id)
        if each.dismissed_at:
            done = "dismissed a refused body"
            yield _entry(each.dismissed_at, TimelineKind.ACTION, done, each.delivery_id, each.dismissed_by)


def _versions(session: Session, reference: str) -> Iterator[TimelineEntry]:
    for each in _last(session, VersionRow, VersionRow.received_at, reference):
        yield _entry(each.received_at, TimelineKind.VERSION, f"version {each.version}", each.receipt_id)


def _runs(session: Session, reference: str) -> Iterator[TimelineEntry]:
    for each in _last(session, RunRow, RunRow.started_at, reference):
        attempt = f"attempt {each.attempt}"
        yield _entry(each.started_at, TimelineKind.RUN, f"{attempt} started by {each.trigger}", each.flow_run_id)
        if each.ended_at:
            why = f": {each.cause_code}" if each.cause_code else ""
            yield _entry(each.ended_at, TimelineKind.RUN, f"{attempt} ended: {each.state}{why}", each.flow_run_id)


def _findings(session: Session, reference: str) -> Iterator[TimelineEntry]:
    theirs = (
        select(DiscrepancyEventRow, DiscrepancyRow.code)
        .join(DiscrepancyRow, col(DiscrepancyRow.discrepancy_id) == col(DiscrepancyEventRow.discrepancy_id))
        .where(DiscrepancyRow.reference == reference)
    )
    for each, code in session.exec(theirs.order_by(col(DiscrepancyEventRow.at).desc()).limit(MOST_ENTRIES)):
        kind = TimelineKind.ACTION if each.state == DiscrepancyState.EXPLAINED else TimelineKind.FINDING
        yield _entry(each.at, kind, f"{code} is {each.state}", each.discrepancy_id, each.by)
    for missing in _last(session, MissingProcessRow, MissingProcessRow.opened_at, reference):
        key = missing.missing_id
        yield _entry(missing.opened_at, TimelineKind.FINDING, f"the process is missing: {missing.why}", key)
        if missing.closed_at:
            kind = TimelineKind.ACTION if missing.closed_by else TimelineKind.FINDING
            what = f"the process is no longer missing: {missing.closed_why}"
            yield _entry(missing.closed_at, kind, what, key, missing.closed_by)


def _messages(session: Session, reference: str) -> Iterator[TimelineEntry]:
    for each in _last(session, NotificationRow, NotificationRow.planned_at, reference):
        if each.state == NotificationState.SKIPPED:
            why = f": {each.skipped_why}" if each.skipped_why else ""
            yield _entry(each.planned_at, TimelineKind.MESSAGE, f"{_named(each)} is skipped{why}", each.message_id)
    theirs = (
        select(NotificationAttemptRow, NotificationRow)
        .join(NotificationRow, col(NotificationRow.message_id) == col(NotificationAttemptRow.message_id))
        .where(NotificationRow.reference == reference)
    )
    last = theirs.order_by(col(NotificationAttemptRow.attempted_at).desc()).limit(MOST_ENTRIES)
    for attempt, message in session.exec(last):
        result = f"HTTP {attempt.status_code}" if attempt.status_code else f"no answer ({attempt.stage or 'failed'})"
        what = f"{_named(message)}, attempt {attempt.attempt}: {result}"
        yield _entry(attempt.attempted_at, TimelineKind.MESSAGE, what, message.message_id, attempt.by)


def _named(message: NotificationRow) -> str:
    """Name a message without the URL of its endpoint, which may hold a token."""
    return f"{message.event} to {message.endpoint_name}" if message.endpoint_name else message.event


def _events(session: Session, reference: str) -> Iterator[TimelineEntry]:
    for each in session_events.of_process(session, reference, MOST_ENTRIES):
        what = each.type if each.is_known else f"{each.type} (an unknown type)"
        yield _entry(each.event_at or each.received_at, TimelineKind.EVENT, what, each.event_id)


def _actions(session: Session, reference: str) -> Iterator[TimelineEntry]:
    for each in _last(session, ActionRow, ActionRow.at, reference):
        yield _entry(each.at, TimelineKind.ACTION, _DONE[ActionKind(each.kind)], each.action_id, each.by)
