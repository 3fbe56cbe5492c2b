"""Finds holds that have grown old."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from functools import partial

from sqlalchemy import select, union
from sqlmodel import Session, col

from adapters.database import reading
from adapters.discrepancies import settle_judged
from adapters.settings import settings
from domain.holds import Hold, aging_holds, oldest_fresh_day
from models.discrepancy import HOLD_CODES, Discrepancy, DiscrepancyRow, DiscrepancyState
from models.ledger import LEDGER
from models.payment import Standing


def settle_holds(references: Collection[str], now: datetime) -> None:
    """Settle which holds of some archives are old.

    Raises:
        Transient: database or store does not answer.
    """
    settle_judged(references, HOLD_CODES, partial(_judge, now=now), now)


def settle_all_holds(now: datetime) -> None:
    """Settle which holds of all archives are old.

    Raises:
        Transient: database or store does not answer.
    """
    columns = LEDGER.c
    is_old = columns.paid_on < oldest_fresh_day(_today(now), settings().hold_days)
    standing = (col(DiscrepancyRow.code).in_(HOLD_CODES), col(DiscrepancyRow.state) != DiscrepancyState.CLOSED)
    found = union(
        select(columns.reference).where(is_old, columns.standing == Standing.HELD),
        select(col(DiscrepancyRow.reference)).where(*standing),
    )
    with reading() as session:
        references = [row.reference for row in session.connection().execute(found)]
    settle_judged(references, HOLD_CODES, partial(_judge, now=now), now)


def _judge(
    session: Session, references: Sequence[str | None], now: datetime
) -> Mapping[str | None, Sequence[Discrepancy]]:
    columns = LEDGER.c
    held = select(columns.reference, columns.transaction_id, columns.payment_id, columns.paid_on).where(
        columns.reference.in_(references), columns.standing == Standing.HELD, columns.paid_on.is_not(None)
    )
    holds: dict[str | None, list[Hold]] = {reference: [] for reference in references}
    for row in session.connection().execute(held):
        holds[row.reference].append(Hold(row.transaction_id, row.payment_id, row.paid_on))
    return {reference: aging_holds(its, _today(now), settings().hold_days) for reference, its in holds.items()}


def _today(now: datetime) -> date:
    """In the zone that days of payments are in."""
    return now.astimezone(settings().payment_terms.zone).date()
