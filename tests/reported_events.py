"""Puts session events, and archives at times of their own, into the database of a test."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlmodel import select

from adapters.database.transactions import insert_new, writing
from adapters.tables.runs import receipts
from models.completeness.processes import MissingProcessRow, SessionEventRow, SessionEventType
from tests.domain.payloads import read
from tests.records import all_of, delivery, digest, document, loaded

CREATED, SUBMITTED = SessionEventType.CREATED, SessionEventType.FORM_SUBMITTED
DELETED, EXPIRED = SessionEventType.DELETED, SessionEventType.EXPIRED


def event(
    kind: str, at: datetime, reference: str | None = "r", session: str | None = "a", **columns: Any
) -> SessionEventRow:
    """Return an event of process 100 that arrived at the time which it states, unless columns say otherwise."""
    values: dict[str, Any] = {"source": "default", "process_number": 100, "transaction_number": 30, "received_at": at}
    values |= columns
    return SessionEventRow(
        event_id=digest(f"{kind} {at} {reference} {session} {values}"),
        type=kind,
        is_known=True,
        reference=reference,
        session_id=session,
        event_at=at,
        **values,
    )


def reported(*events: SessionEventRow) -> None:
    """Insert events as the intake does: an event that comes again changes nothing."""
    with writing() as session:
        for each in events:
            insert_new(session, SessionEventRow, each.model_dump())


def archived_at(
    at: datetime, reference: str = "r", session: str = "a", stated_at: datetime | None = None, **members: Any
) -> str:
    """Register and load an archive that Cellosign made, and that arrived, at a time. Return its receipt id.

    `stated_at`: when it says that it was made.
    """
    made = document(reference, id=session, **members)
    made["event"]["timestamp"] = (stated_at or at).replace(tzinfo=None).isoformat()
    arrived = delivery(reference, f"{reference} {at}", minute=(at - delivery().received_at).total_seconds() / 60)
    receipts.register_all([arrived])
    loaded(read(made), arrived.receipt_id)
    return arrived.receipt_id


def findings(*columns: str) -> Iterable[tuple[Any, ...]]:
    """Return columns of all findings, in the order of their deadlines."""
    rows = all_of(select(MissingProcessRow))
    ordered = sorted(rows, key=lambda each: (each.deadline_at, each.missing_id))
    return [tuple(getattr(each, name) for name in columns) for each in ordered]
