"""Decides the standing of a payment: what it means for the books.

Finds aging holds: money that was set aside on a card and is neither charged nor released.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from domain.payments.discrepancies import discrepancy
from domain.secrets.cards import masked
from models.discrepancies import Discrepancy, DiscrepancyCode
from models.payments import Attempt, Payment, PaymentTerms, PaymentType, Standing
from models.said import Sentence

# An attempt that may have taken money is stronger: a verification must not hide an attempt of unknown standing.
_WEAKEST_FIRST = (Standing.FAILED, Standing.VERIFIED, Standing.UNKNOWN, Standing.HELD, Standing.CHARGED)

_SUCCESS = "success"
_FAILURES = {"failure", "failed", "error", "declined", "rejected", "refused", "cancelled", "canceled"}
"""Any other status of an attempt is unknown."""


def standing_of(attempt: Attempt, terms: PaymentTerms) -> Standing:
    """Return the standing of an attempt, by its status, type, provider's result and, if required, authorisation.

    New types and statuses may appear, and guessing their meaning would claim that money was taken or was not. So these
    are unknown until a person or a settlement report decides: a new type or status, a success that the provider's
    result contradicts, and a success without the authorisation that its type requires.
    """
    if is_failure(attempt):
        return Standing.FAILED
    type_ = succeeded_type(attempt, terms)
    if type_ is None or contradiction(attempt, terms) or (type_.needs_authorisation and attempt.authorisation is None):
        return Standing.UNKNOWN
    return type_.standing


def succeeded_type(attempt: Attempt, terms: PaymentTerms) -> PaymentType | None:
    """Return the type of a successful attempt; None if it did not succeed or its type is not in the table."""
    return terms.types.get(attempt.type or "") if is_success(attempt) else None


def is_success(attempt: Attempt) -> bool:
    """Return whether the attempt's status means success."""
    return _plain(attempt.status) == _SUCCESS


def is_failure(attempt: Attempt) -> bool:
    return _plain(attempt.status) in _FAILURES


def contradiction(attempt: Attempt, terms: PaymentTerms) -> str | None:
    """Return the first member of the provider's result whose value does not mean success. Absent members pass."""
    told = {member: _plain(attempt.results.get(member)) for member in terms.results}
    return next((member for member, said in told.items() if said and said not in terms.results[member]), None)


def _plain(word: str | None) -> str:
    return (word or "").strip().lower()


def deciding(payment: Payment, terms: PaymentTerms) -> Attempt:
    """Return the attempt that decides a payment's standing: the last attempt with the strongest standing."""
    return max(reversed(payment.attempts), key=lambda attempt: _WEAKEST_FIRST.index(standing_of(attempt, terms)))


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
            Sentence.released_within(days=hold_days),
            Sentence.held_since(day=str(each.held_since)),
            "" if each.transaction_id else each.payment_id,
            each.payment_id,
        )
        for each in holds
        if each.held_since < oldest_fresh_day(today, hold_days)
    ]
