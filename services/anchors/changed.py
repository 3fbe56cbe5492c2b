"""Finds the archives that have changed since a time, by the database. An anchor has the leaves of these only."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, String, cast, or_, select
from sqlmodel import col

from adapters.database.transactions import reading
from models.archive.signed_document import SignedDocumentRow
from models.messages.notification import NotificationAttemptRow, NotificationRow
from models.payments.discrepancy import DiscrepancyEventRow, DiscrepancyRow
from models.runs.receipt import DeliveryRow, ReceiptRow
from models.runs.run import RunRow

OVERLAP = timedelta(hours=2)
"""How much later than its time a row may be committed, or its history written: a run may take an hour."""


_MOST_DAYS = 32


def changed_since(at: datetime) -> set[str | None]:
    """Return the references of archives that have changed since an anchor, and None for discrepancies of no archive.

    Archives that changed shortly before may be among them.

    Raises:
        Transient: the database does not answer.
    """
    since = at - OVERLAP
    with reading() as session:
        connection = session.connection()
        return {reference for query in _queries(since) for (reference,) in connection.execute(query)}


def _queries(since: datetime) -> Iterator[Select[Any]]:
    yield select(col(ReceiptRow.reference)).where(
        or_(col(ReceiptRow.received_at) >= since, col(ReceiptRow.completed_at) >= since)
    )
    yield select(col(DeliveryRow.reference)).where(col(DeliveryRow.received_at) >= since)
    yield select(col(RunRow.reference)).where(col(RunRow.ended_at) >= since)
    yield select(col(SignedDocumentRow.reference)).where(_is_judged_since(since))
    yield (
        select(col(NotificationRow.reference))
        .join(NotificationAttemptRow, col(NotificationAttemptRow.message_id) == col(NotificationRow.message_id))
        .where(col(NotificationAttemptRow.attempted_at) >= since)
    )
    yield (
        select(col(DiscrepancyRow.reference))
        .join(DiscrepancyEventRow, col(DiscrepancyEventRow.discrepancy_id) == col(DiscrepancyRow.discrepancy_id))
        .where(col(DiscrepancyEventRow.at) >= since)
    )


def _is_judged_since(since: datetime) -> ColumnElement[bool]:
    """Return the condition that a later judgement is of the day of a time or of a later day. Its time is in JSON."""
    judgements, today = cast(col(SignedDocumentRow.judgements), String), datetime.now(UTC).date()
    days = [since.astimezone(UTC).date() + timedelta(days=day) for day in range(_MOST_DAYS)]
    if days[-1] < today:
        return judgements != "[]"
    return or_(*(judgements.contains(f'"{day}T') for day in days if day <= max(today, days[0])))
