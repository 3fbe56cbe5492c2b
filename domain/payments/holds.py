"""Holds: money that was set aside on a card, and has to be taken or let go."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from domain.secrets.cards import masked
from models.payments.discrepancy import Discrepancy, DiscrepancyCode


@dataclass(frozen=True, slots=True)
class Hold:
    transaction_id: str | None
    payment_id: str
    held_since: date


def oldest_fresh_day(today: date, hold_days: int) -> date:
    """What was held on this day or later is not old yet."""
    return today - timedelta(days=hold_days)


def aging_holds(holds: Iterable[Hold], today: date, hold_days: int) -> list[Discrepancy]:
    """Return the holds that are older than a number of days. What is said of one does not change from day to day. Pure.

    Its subject is the payment where that has no transaction id.
    """
    return [
        Discrepancy(
            DiscrepancyCode.AGING_HOLD,
            masked(each.transaction_id) if each.transaction_id else None,
            f"charged or released within {hold_days} days",
            f"held since {each.held_since}",
            "" if each.transaction_id else each.payment_id,
            each.payment_id,
        )
        for each in holds
        if each.held_since < oldest_fresh_day(today, hold_days)
    ]
