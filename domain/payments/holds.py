"""Finds aging holds: money that was set aside on a card and is neither charged nor released."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from domain.payments.sentences import discrepancy
from domain.secrets.cards import masked
from models.payments.discrepancy import Discrepancy, DiscrepancyCode
from models.said import said


@dataclass(frozen=True, slots=True)
class Hold:
    transaction_id: str | None
    payment_id: str
    held_since: date


def oldest_fresh_day(today: date, hold_days: int) -> date:
    """Return the oldest day whose holds are not aging yet."""
    return today - timedelta(days=hold_days)


def aging_holds(holds: Iterable[Hold], today: date, hold_days: int) -> list[Discrepancy]:
    """Return a discrepancy for each hold that is older than a number of days. Pure.

    Its text stays the same from day to day. Its subject is the payment if that has no transaction id.
    """
    return [
        discrepancy(
            DiscrepancyCode.AGING_HOLD,
            masked(each.transaction_id) if each.transaction_id else None,
            said("released_within", days=hold_days),
            said("held_since", day=str(each.held_since)),
            "" if each.transaction_id else each.payment_id,
            each.payment_id,
        )
        for each in holds
        if each.held_since < oldest_fresh_day(today, hold_days)
    ]
