"""What bulk re-runs read: archives by what a plan counts, started archives, and how many hold a place."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, exists, func, or_, select

from adapters.database.transactions import read_all, read_one, reading
from domain.batches import end_of
from models.archive.archive import ArchiveRow, State
from models.messages.notification import NotificationRow, NotificationState
from models.runs.batch import BatchItemRow, ItemState
from models.runs.receipt import ReceiptRow, RunRow, RunState, WaitingRow

_MOST_MEASURED = 500
_NEW_WITHIN = timedelta(minutes=10)
"""An archive that has been on its way for longer waits for a person, and delays no bulk re-run."""
_HOLDS_PLACE_FOR = timedelta(minutes=5)
_HOLDS_PLACE_AT_MOST = timedelta(hours=1)
_SENTENCE = col(ArchiveRow.cause_values)["sentence"].as_string()
_IS_ARCHIVE = col(BatchItemRow.receipt_id).is_not(None)
"""A started item of a bulk re-run has the receipt of its run. Messages have none."""


@dataclass(frozen=True, slots=True)
class Group:
    """Archives with the same state, cause and template, and how many they are. `sentence`: of one of them, by code."""

    state: str
    cause_code: str | None
    cause_task: str | None
    template_id: str | None
    archives: int
    sentence: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Flight:
    """A started archive of a bulk re-run, and what the history of runs knows of its run.

    `last` is the newest attempt, None before the first attempt began. A run that a killed driver has asked for and not
    recorded has its `flow_run_id` too, once it has begun.
    """

    item: BatchItemRow
    flow_run_id: str | None
    last: RunRow | None
    receipt_state: str | None

    def became(self) -> ItemState | None:
        """Return what became of the archive, None while its run is on its way."""
        return end_of(self.last.state, self.receipt_state) if self.last else None


def groups(conditions: Sequence[ColumnElement[bool]]) -> list[Group]:
    """Count archives by state, cause and template, the most frequent first. One pass over the archives."""
    keys = [ArchiveRow.state, ArchiveRow.cause_code, ArchiveRow.cause_task, ArchiveRow.template_id]
    count = func.count()
    counted: Any = select(*keys, func.min(_SENTENCE), count)  # type: ignore[call-overload]
    counted = counted.where(*conditions).group_by(*keys)
    found = read_all(counted.order_by(count.desc()))
    return [
        Group(state, code, task, template, n, json.loads(said) if said else None)
        for state, code, task, template, said, n in found
    ]


def undelivered(conditions: Sequence[ColumnElement[bool]]) -> int:
    """Count the messages of archives that no endpoint has confirmed."""
    theirs = select(ArchiveRow.reference).where(*conditions)
    counted = select(func.count()).select_from(NotificationRow)
    waiting = col(NotificationRow.state) != NotificationState.DELIVERED
    return read_one(counted.where(waiting, col(NotificationRow.reference).in_(theirs)))


def recent_durations(since: datetime) -> list[float]:
    """Return how many seconds the last archives took: in bulk re-runs, else in single runs.

    A bulk re-run measures from the request for a run until its end was noticed: as the next archives will take.
    """
    of_items = select(BatchItemRow.started_at, BatchItemRow.ended_at).where(
        col(BatchItemRow.state) == ItemState.COMPLETED, _IS_ARCHIVE, col(BatchItemRow.ended_at) > since
    )
    of_runs = select(RunRow.started_at, RunRow.ended_at).where(
        col(RunRow.state) == RunState.COMPLETED, col(RunRow.ended_at) > since
    )
    with reading() as session:
        for found, ended_at in ((of_items, col(BatchItemRow.ended_at)), (of_runs, col(RunRow.ended_at))):
            rows = session.connection().execute(found.order_by(ended_at.desc()).limit(_MOST_MEASURED)).all()
            if rows:
                return [(ended - started) / timedelta(seconds=1) for started, ended in rows]
    return []


def next_queued(batch_id: str, limit: int) -> list[tuple[BatchItemRow, State | None]]:
    """Return the queued archives, in order, each with its present state, None if the archive is gone."""
    queued = (
        select(BatchItemRow, ArchiveRow.state)
        .join(ArchiveRow, col(ArchiveRow.reference) == col(BatchItemRow.subject), isouter=True)
        .where(BatchItemRow.state == ItemState.QUEUED, BatchItemRow.batch_id == batch_id)
        .order_by(col(BatchItemRow.position))
        .limit(limit)
    )
    return [(item, State(state) if state else None) for item, state in read_all(queued)]


def flights(batch_id: str) -> list[Flight]:
    """Return the started archives, each with what the history knows of its run. A few queries for any number."""
    started = (
        select(BatchItemRow, ReceiptRow.state)
        .join(ReceiptRow, col(ReceiptRow.receipt_id) == col(BatchItemRow.receipt_id), isouter=True)
        .where(BatchItemRow.state == ItemState.STARTED, BatchItemRow.batch_id == batch_id)
    )
    with reading() as session:
        items = session.exec(started).all()
        ids = [each.flow_run_id or _unrecorded_run(session, each) for each, _ in items]
        of_runs = select(RunRow).where(col(RunRow.flow_run_id).in_([each for each in ids if each]))
        last = {each.flow_run_id: each for each in session.exec(of_runs.order_by(col(RunRow.attempt)))}
    return [
        Flight(item, run_id, last.get(run_id or ""), state) for (item, state), run_id in zip(items, ids, strict=True)
    ]


def in_flight(now: datetime) -> int:
    """Return how many started archives of all bulk re-runs hold a place.

    A run that waits for a system that is away holds its place for some minutes: an outage must not let the whole list
    wait at once, and an archive that waits for days must not block the list. The receipt does not show the wait of an
    archive that was complete before. A run that kills its worker each time is tried for days too.
    """
    waits_long = exists().where(
        col(WaitingRow.receipt_id) == col(BatchItemRow.receipt_id), col(WaitingRow.since) < now - _HOLDS_PLACE_FOR
    )
    works = exists().where(col(RunRow.receipt_id) == col(BatchItemRow.receipt_id), col(RunRow.ended_at).is_(None))
    counted = (
        select(func.count())
        .select_from(BatchItemRow)
        .where(BatchItemRow.state == ItemState.STARTED, _IS_ARCHIVE, or_(~waits_long, works))
        .where(col(BatchItemRow.started_at) > now - _HOLDS_PLACE_AT_MOST)
    )
    return read_one(counted)


def new_archives(now: datetime) -> int:
    """Return how many new archives are on their way. Archives of bulk re-runs and archives that wait do not count."""
    of_reruns = select(BatchItemRow.subject).where(BatchItemRow.state == ItemState.STARTED, _IS_ARCHIVE)
    counted = (
        select(func.count())
        .select_from(ArchiveRow)
        .where(
            col(ArchiveRow.state).in_((State.RECEIVED, State.PROCESSING)),
            col(ArchiveRow.cause_code).is_(None),
            col(ArchiveRow.received_at) > now - _NEW_WITHIN,
            col(ArchiveRow.reference).not_in(of_reruns),
        )
    )
    return read_one(counted)


def _unrecorded_run(session: Session, item: BatchItemRow) -> str | None:
    """Return the run that a killed driver started and did not record, None if it has not begun.

    A run that only Prefect knew is recorded as if it had ended when it began; it is older.
    """
    begun = select(RunRow.flow_run_id).where(
        RunRow.receipt_id == item.receipt_id,
        col(RunRow.started_at) >= item.started_at,
        or_(col(RunRow.ended_at).is_(None), col(RunRow.ended_at) != col(RunRow.started_at)),
    )
    return session.exec(begun.order_by(col(RunRow.started_at).desc())).first()
