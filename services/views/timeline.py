"""The timeline of a process: what happened to it, from all tables, oldest first; and what happens now to all."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, get_args

from sqlmodel import Session, SQLModel, col, select

from adapters.database.transactions import reading
from adapters.tables.by_hour import IS_FAILED
from adapters.tables.completeness import session_events
from adapters.tables.messages import queues
from domain.words.catalogue import named, word
from models.access import CELLAR, Caller
from models.archive.archive import WarningCode
from models.columns import table_of
from models.completeness.processes import Closing, MissingProcessRow
from models.discrepancies import DiscrepancyEventRow, DiscrepancyRow
from models.erasures import HoldRow
from models.messages.notification import NotificationAttemptRow, NotificationRow, NotificationState
from models.people import ActionKind, ActionRow
from models.runs.batch import BatchRow
from models.runs.receipt import ACCEPTED_BY, GIVEN_BY, DeliveryRow, ReceiptRow, RefusedRow, RunRow, VersionRow
from models.said import Said, Sentence, verbatim
from models.views.archives.archives import Activity, ActivityEntry, TimelineEntry, TimelineKind
from services.access.scope import check_visible, findings_seen, messages_seen

MOST_ENTRIES, MOST_RECENT = 500, 50
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
        *map(_acted, _last(session, ActionRow, ActionRow.at, reference)),
    ]
    return sorted(found, key=lambda each: (each.at, each.kind, each.id))[-MOST_ENTRIES:]


def timeline_of(reference: str, caller: Caller) -> list[TimelineEntry]:
    """Return the timeline of a process, which may have no archive. Raises as `check_visible` does."""
    check_visible(caller, reference)
    with reading() as session:
        return timeline(session, reference, caller)


def activity() -> dict[Activity, list[ActivityEntry]]:
    """Return what happened last in all archives by kind: the newest 50 of each, newest first."""
    found: dict[Activity, list[ActivityEntry]] = {each: [] for each in get_args(Activity)}
    with reading() as session:
        for kind, reference, entry in _recent(session):
            found["acted" if entry.by else kind].append(ActivityEntry(**dict(entry), reference=reference))
    return {kind: newest_first(entries) for kind, entries in found.items()}


def newest_first(entries: Iterable[ActivityEntry]) -> list[ActivityEntry]:
    """Return the newest 50 of some entries."""
    return sorted(entries, key=lambda each: each.at, reverse=True)[:MOST_RECENT]


def _recent(session: Session) -> Iterator[tuple[Activity, str | None, TimelineEntry]]:
    for delivery in _newest(session, DeliveryRow, DeliveryRow.received_at):
        yield "arrived", delivery.reference, _delivered(delivery)
    for receipt in _newest(session, ReceiptRow, ReceiptRow.completed_at):
        done = _entry(receipt.completed_at, TimelineKind.RUN, Said("completed"), receipt.receipt_id)
        yield "completed", receipt.reference, done
    for run in _newest(session, RunRow, RunRow.ended_at, IS_FAILED):
        yield "failed", run.reference, _ended(run, run.ended_at)
    for refused in _newest(session, RefusedRow, RefusedRow.received_at):
        if refused.code != WarningCode.SOURCES_DIFFER:
            yield "failed", refused.reference, _refused(refused)
    for action in _newest(session, ActionRow, ActionRow.at):
        yield "failed" if action.by == CELLAR.name else "acted", action.reference, _acted(action)
    for hold in _newest(session, HoldRow, HoldRow.at):
        put = _entry(hold.at, TimelineKind.ACTION, Sentence.hold_put(), hold.hold_id, hold.by)
        yield "acted", hold.reference, put
    for hold in _newest(session, HoldRow, HoldRow.released_at):
        end = _entry(hold.released_at, TimelineKind.ACTION, Sentence.hold_released(), hold.hold_id, hold.released_by)
        yield "acted", hold.reference, end
    for batch in _newest(session, BatchRow, BatchRow.created_at):
        for its in batch.actions:
            what = Sentence.batch_changed(batch=Said(f"batch_{batch.kind}"), state=Said(its["what"]))
            at = datetime.fromisoformat(its["at"])
            yield "acted", None, _entry(at, TimelineKind.ACTION, what, batch.id, its["by"])


def _newest(session: Session, table: Any, by: Any, *conditions: Any, most: int = MOST_RECENT) -> Sequence[Any]:
    theirs = select(table).where(col(by).is_not(None), *conditions)
    return session.exec(theirs.order_by(col(by).desc()).limit(most)).all()


def _last(session: Session, table: type[SQLModel], by: Any, reference: str, *conditions: Any) -> Sequence[Any]:
    return _newest(session, table, by, table_of(table).c.reference == reference, *conditions, most=MOST_ENTRIES)


def _entry(at: datetime, kind: TimelineKind, what: Said, key: str, by: str | None = None) -> TimelineEntry:
    return TimelineEntry(at=at, kind=kind, what=word(what), code=what.code, values=dict(what.values), by=by, id=key)


def _deliveries(session: Session, reference: str) -> Iterator[TimelineEntry]:
    for each in _last(session, DeliveryRow, DeliveryRow.received_at, reference):
        yield _delivered(each)
    for each in _last(session, RefusedRow, RefusedRow.received_at, reference):
        if each.code != WarningCode.SOURCES_DIFFER:
            yield _refused(each)
        decided = (each.dismissed_at, Sentence.body_dismissed), (each.withdrawn_at, Sentence.dismissal_withdrawn)
        for at, done in decided:
            if at and each.dismissed_at:
                by = each.dismissed_by if at >= each.dismissed_at else None  # an earlier dismissal was another person's
                yield _entry(at, TimelineKind.ACTION, done(), each.delivery_id, by)


def _delivered(row: DeliveryRow) -> TimelineEntry:
    if by := row.headers.get(ACCEPTED_BY):
        return _entry(row.received_at, TimelineKind.ACTION, Sentence.body_accepted(), row.delivery_id, by)
    if by := row.headers.get(GIVEN_BY):
        given = Sentence.process_given(source=row.source)
        return _entry(row.received_at, TimelineKind.ACTION, given, row.delivery_id, by)
    return _entry(row.received_at, TimelineKind.DELIVERY, Said(row.outcome), row.delivery_id)


def _refused(row: RefusedRow) -> TimelineEntry:
    what = Sentence.body_refused(cause=named(row.code))
    return _entry(row.received_at, TimelineKind.DELIVERY, what, row.delivery_id)


def _versions(session: Session, reference: str) -> Iterator[TimelineEntry]:
    for each in _last(session, VersionRow, VersionRow.received_at, reference):
        made = Sentence.version_made(number=each.version)
        yield _entry(each.received_at, TimelineKind.VERSION, made, each.receipt_id)


def _runs(session: Session, reference: str) -> Iterator[TimelineEntry]:
    for each in _last(session, RunRow, RunRow.started_at, reference):
        started = Sentence.run_started(number=each.attempt, trigger=Said(each.trigger))
        yield _entry(each.started_at, TimelineKind.RUN, started, each.flow_run_id)
        if each.ended_at:
            yield _ended(each, each.ended_at)


def _ended(run: RunRow, at: datetime) -> TimelineEntry:
    what = Sentence.run_ended(number=run.attempt, state=Said(run.state))
    if run.cause_code is not None:
        what = Sentence.run_failed(**what.values, cause=named(run.cause_code))
    return _entry(at, TimelineKind.RUN, what, run.flow_run_id)


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


def _acted(row: ActionRow) -> TimelineEntry:
    if row.by != CELLAR.name:
        return _entry(row.at, TimelineKind.ACTION, _DONE[ActionKind(row.kind)](), row.action_id, row.by)
    is_over = row.kind == ActionKind.WHOLE
    what = Sentence.archive_whole() if is_over else Sentence.archive_damaged(condition=named(row.kind))
    return _entry(row.at, TimelineKind.FINDING, what, row.action_id)
