"""Finds holds that have grown old. A hold without a day is as old as its archive."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, time
from functools import partial

from sqlalchemy import or_, select, union
from sqlmodel import Session, col

from adapters.database.transactions import reading
from adapters.settings.settings import settings
from domain.payments.standing import Hold, aging_holds, oldest_fresh_day
from models.discrepancies import HOLD_CODES, Discrepancy, DiscrepancyRow, DiscrepancyState
from models.payments import LEDGER, Standing
from services.payments.discrepancies import reconcile_judged


def reconcile_holds(references: Collection[str], now: datetime) -> None:
    """Reconcile the old holds of some archives."""
    reconcile_judged(references, HOLD_CODES, partial(_judge, now=now), now)


def reconcile_all_holds(now: datetime) -> None:
    """Reconcile the old holds of all archives."""
    columns = LEDGER.c
    oldest_fresh = oldest_fresh_day(settings().payment_terms.day_of(now), settings().hold_days)
    came_before = datetime.combine(oldest_fresh, time.min, settings().payment_terms.zone)
    is_old = or_(columns.paid_on < oldest_fresh, columns.paid_on.is_(None) & (columns.received_at < came_before))
    standing = (col(DiscrepancyRow.code).in_(HOLD_CODES), col(DiscrepancyRow.state) != DiscrepancyState.CLOSED)
    found = union(
        select(columns.reference).where(is_old, columns.standing == Standing.HELD),
        select(col(DiscrepancyRow.reference)).where(*standing),
    )
    with reading() as session:
        references = [row.reference for row in session.connection().execute(found)]
    reconcile_judged(references, HOLD_CODES, partial(_judge, now=now), now)


def _judge(
    session: Session, references: Sequence[str | None], now: datetime
) -> Mapping[str | None, Sequence[Discrepancy]]:
    columns, terms = LEDGER.c, settings().payment_terms
    wanted = (columns.reference, columns.transaction_id, columns.payment_id, columns.paid_on, columns.received_at)
    held = select(*wanted).where(columns.reference.in_(references), columns.standing == Standing.HELD)
    holds: dict[str | None, list[Hold]] = {reference: [] for reference in references}
    for row in session.connection().execute(held):
        held_since = row.paid_on or terms.day_of(row.received_at)
        holds[row.reference].append(Hold(row.transaction_id, row.payment_id, held_since))
    today = terms.day_of(now)
    return {reference: aging_holds(its, today, settings().hold_days) for reference, its in holds.items()}
