"""The timeline of a process: what happened to it, from all tables, oldest first."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session, SQLModel, col, select

from adapters.database.transactions import reading
from adapters.tables.completeness import session_events
from adapters.tables.messages import queues
from domain.words.catalogue import named, word
from models.access import Caller
from models.archive.archive import WarningCode
from models.columns import table_of
from models.completeness.processes import Closing, MissingProcessRow
from models.discrepancies import DiscrepancyEventRow, DiscrepancyRow
from models.messages.notification import NotificationAttemptRow, NotificationRow, NotificationState
from models.people import ActionKind, ActionRow
from models.runs.receipt import ACCEPTED_BY, DeliveryRow, RefusedRow, RunRow, VersionRow
from models.said import Said, Sentence, verbatim
from models.views.archives.archives import TimelineEntry, TimelineKind
from services.access.scope import check_visible, findings_seen, messages_seen

MOST_ENTRIES = 500
_DONE: Mapping[ActionKind, Sentence] = {
    ActionKind.RERUN: Sentence.rerun_asked,
    ActionKind.EXPORT: Sentence.archive_exported,
    ActionKind.RELEASE: Sentence.body_released,
}


def timeline(session: Session, reference: str, caller: Caller) -> list[TimelineEntry]:
    """Return the last 500 entries of a process, oldest first. No person who signs is in it."""
    found = [
        *_deliveries(session, reference),
        *_versions(session, reference),
        *_runs(session, reference),
        *_findings(session, reference, caller),
        *_messages(session, reference, caller),
        *_events(session, reference),
        *_actions(session, reference),
    ]
    return sorted(found, key=lambda each: (each.at, each.kind, each.id))[-MOST_ENTRIES:]


def timeline_of(reference: str, caller: Caller) -> list[TimelineEntry]:
    """Return the timeline of a process, which may have no archive. Raises as `check_visible` does."""
    check_visible(caller, reference)
    with reading() as session:
        return timeline(session, reference, caller)


def _last(session: Session, table: type[SQLModel], by: Any, reference: str, *conditions: Any) -> Sequence[Any]:
    theirs = table_of(table).c.reference == reference, *conditions
    return session.exec(select(table).where(*theirs).order_by(col(by).desc()).limit(MOST_ENTRIES)).all()


def _entry(at: datetime, kind: TimelineKind, what: Said, key: str, by: str | None = None) -> TimelineEntry:
    return TimelineEntry(at=at, kind=kind, what=word(what), code=what.code, values=dict(what.values), by=by, id=key)


def _deliveries(session: Session, reference: str) -> Iterator[TimelineEntry]:
    for each in _last(session, DeliveryRow, DeliveryRow.received_at, reference):
        if by := each.headers.get(ACCEPTED_BY):
            yield _entry(each.received_at, TimelineKind.ACTION, Sentence.body_accepted(), each.delivery_id, by)
        else:
            yield _entry(each.received_at, TimelineKind.DELIVERY, Said(each.outcome), each.delivery_id)
    for each in _last(session, RefusedRow, RefusedRow.received_at, reference):
        if each.code != WarningCode.SOURCES_DIFFER:
            refused = Sentence.body_refused(cause=named(each.code))
            yield _entry(each.received_at, TimelineKind.DELIVERY, refused, each.delivery_id)
        decided = (each.dismissed_at, Sentence.body_dismissed), (each.withdrawn_at, Sentence.dismissal_withdrawn)
        for at, done in decided:
            if at and each.dismissed_at:
                by = each.dismissed_by if at >= each.dismissed_at else None  # an earlier dismissal was another person's
                yield _entry(at, TimelineKind.ACTION, done(), each.delivery_id, by)


def _versions(session: Session, reference: str) -> Iterator[TimelineEntry]:
    for each in _last(session, VersionRow, VersionRow.received_at, reference):
        made = Sentence.version_made(number=each.version)
        yield _entry(each.received_at, TimelineKind.VERSION, made, each.receipt_id)


def _runs(session: Session, reference: str) -> Iterator[TimelineEntry]:
    for each in _last(session, RunRow, RunRow.started_at, reference):
        started = Sentence.run_started(number=each.attempt, trigger=Said(each.trigger))
        yield _entry(each.started_at, TimelineKind.RUN, started, each.flow_run_id)
        if each.ended_at:
            yield _entry(each.ended_at, TimelineKind.RUN, _ended(each), each.flow_run_id)


def _ended(run: RunRow) -> Said:
    state = Said(run.state)
    if run.cause_code is None:
        return Sentence.run_ended(number=run.attempt, state=state)
    return Sentence.run_failed(number=run.attempt, state=state, cause=named(run.cause_code))


def _findings(session: Session, reference: str, caller: Caller) -> Iterator[TimelineEntry]:
    theirs = (
        select(DiscrepancyEventRow, DiscrepancyRow.code)
        .join(DiscrepancyRow, col(DiscrepancyRow.discrepancy_id) == col(DiscrepancyEventRow.discrepancy_id))
        .where(DiscrepancyRow.reference == reference, *findings_seen(caller))
    )
    for each, code in session.exec(theirs.order_by(col(DiscrepancyEventRow.at).desc()).limit(MOST_ENTRIES)):
        kind = TimelineKind.ACTION if each.by else TimelineKind.FINDING
        yield _entry(
            each.at,
            kind,
            Sentence.finding_changed(state=Said(each.state), discrepancy=named(code)),
            each.discrepancy_id,
            each.by,
        )
    for missing in _last(session, MissingProcessRow, MissingProcessRow.opened_at, reference):
        key = missing.missing_id
        opened = Sentence.process_missing(missing=Said(f"missing_{missing.why}"))
        yield _entry(missing.opened_at, TimelineKind.FINDING, opened, key)
        is_dismissed = missing.closed_why == Closing.DISMISSED  # else `closed_by` is who took a dismissal back
        if missing.closed_at:
            kind = TimelineKind.ACTION if is_dismissed else TimelineKind.FINDING
            closed = Sentence.process_not_missing(state=Said(missing.closed_why or ""))
            yield _entry(missing.closed_at, kind, closed, key, missing.closed_by if is_dismissed else None)
        if missing.withdrawn_at:
            by = None if is_dismissed else missing.closed_by
            yield _entry(missing.withdrawn_at, TimelineKind.ACTION, Sentence.dismissal_withdrawn(), key, by)


def _messages(session: Session, reference: str, caller: Caller) -> Iterator[TimelineEntry]:
    for each in _last(session, NotificationRow, NotificationRow.planned_at, reference, *messages_seen(caller)):
        if each.state == NotificationState.SKIPPED:
            yield _entry(each.planned_at, TimelineKind.MESSAGE, _skipped(each), each.message_id)
    theirs = (
        select(NotificationAttemptRow, NotificationRow)
        .join(NotificationRow, col(NotificationRow.message_id) == col(NotificationAttemptRow.message_id))
        .where(NotificationRow.reference == reference, *messages_seen(caller))
    )
    last = theirs.order_by(col(NotificationAttemptRow.attempted_at).desc()).limit(MOST_ENTRIES)
    for attempt, message in session.exec(last):
        tried = _tried(attempt, message)
        yield _entry(attempt.attempted_at, TimelineKind.MESSAGE, tried, message.message_id, attempt.by)


def _skipped(message: NotificationRow) -> Said:
    why = queues.why_not(message)
    if why is None:
        return Sentence.message_skipped(message=_message(message))
    return Sentence.message_skipped_because(message=_message(message), why=why)


def _tried(attempt: NotificationAttemptRow, message: NotificationRow) -> Said:
    number, named = attempt.attempt, _message(message)
    if attempt.status_code:
        return Sentence.message_answered(message=named, number=number, status=attempt.status_code)
    return Sentence.message_not_answered(message=named, number=number, stage=Said(attempt.stage or "failed"))


def _message(message: NotificationRow) -> Said:
    """Name a message without the URL of its endpoint, which may hold a token."""
    if not message.endpoint_name:
        return verbatim(message.event)
    return Sentence.message_to(event=message.event, endpoint=message.endpoint_name)


def _events(session: Session, reference: str) -> Iterator[TimelineEntry]:
    for each in session_events.of_process(session, reference, MOST_ENTRIES):
        what = verbatim(each.type) if each.is_known else Sentence.event_unknown(event=each.type)
        yield _entry(each.event_at or each.received_at, TimelineKind.EVENT, what, each.event_id)


def _actions(session: Session, reference: str) -> Iterator[TimelineEntry]:
    for each in _last(session, ActionRow, ActionRow.at, reference):
        yield _entry(each.at, TimelineKind.ACTION, _DONE[ActionKind(each.kind)](), each.action_id, each.by)
