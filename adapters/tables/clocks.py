"""Reads when archives and session events came, beside the time that they state."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import aliased
from sqlmodel import col, exists, select

from adapters.database.transactions import reading
from models.completeness.processes import SessionEventRow
from models.runs.receipt import DeliveryRow, ReceiptRow, VersionRow
from models.sources import Arrival

_READ = 1000
_NEWEST = 100
"""Arrivals of each kind. More would say the same."""


def arrivals(source: str, since: datetime) -> list[Arrival]:
    """Return the newest arrivals of a source. Archives that came several times are left out: a later delivery may have
    changed their time. Of the deliveries, the newest 1,000 are read.
    """
    with reading() as session:
        its = select(DeliveryRow).where(DeliveryRow.source == source, DeliveryRow.received_at >= since)
        newest = aliased(DeliveryRow, its.order_by(col(DeliveryRow.received_at).desc()).limit(_READ).subquery())
        other = aliased(DeliveryRow)
        of_same = (col(other.reference) == col(newest.reference), col(other.source) == source)
        came_again = exists().where(*of_same, col(other.delivery_id) != col(newest.delivery_id))
        of_archives: Any = (
            select(VersionRow.event_at, VersionRow.received_at)
            .join(newest, col(newest.receipt_id) == col(VersionRow.receipt_id))
            .join(ReceiptRow, col(ReceiptRow.receipt_id) == col(VersionRow.receipt_id))
            .where(ReceiptRow.source == source, col(VersionRow.event_at).is_not(None), ~came_again)
            .order_by(col(newest.received_at).desc())
            .limit(_NEWEST)
        )
        of_events: Any = (
            select(SessionEventRow.event_at, SessionEventRow.received_at)
            .where(SessionEventRow.source == source, SessionEventRow.received_at >= since)
            .where(col(SessionEventRow.event_at).is_not(None))
            .order_by(col(SessionEventRow.received_at).desc())
            .limit(_NEWEST)
        )
        found = [tuple(row) for statement in (of_archives, of_events) for row in session.execute(statement)]
    return [Arrival(event_at, received_at) for event_at, received_at in found]
