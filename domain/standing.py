"""What a payment means for the books."""

from models.payment import Attempt, Payment, Standing
from models.payment_terms import PaymentTerms, PaymentType

_SUCCESS = "success"
_WEAKEST_FIRST = (Standing.FAILED, Standing.UNKNOWN, Standing.VERIFIED, Standing.HELD, Standing.CHARGED)


def standing_of(attempt: Attempt, terms: PaymentTerms) -> Standing:
    """Return what an attempt means for the books, by its status, its type and, where that wants one, its authorisation.

    The sets of types and of statuses are open, and both readings of a new word would be a claim about money: that it
    was taken, or that none was. What nobody told us of, and a success that lacks the authorisation it needs, is unknown
    until a person or a settlement says more.
    """
    if is_failure(attempt, terms):
        return Standing.FAILED
    type_ = succeeded_type(attempt, terms)
    if type_ is None or (type_.needs_authorisation and attempt.authorisation is None):
        return Standing.UNKNOWN
    return type_.standing


def succeeded_type(attempt: Attempt, terms: PaymentTerms) -> PaymentType | None:
    """The type of an attempt that succeeded; None where it did not, or where the table lacks it."""
    return terms.types.get(attempt.type or "") if attempt.status == _SUCCESS else None


def is_failure(attempt: Attempt, terms: PaymentTerms) -> bool:
    return attempt.status is not None and attempt.status.strip().lower() in terms.failures


def deciding(payment: Payment, terms: PaymentTerms) -> Attempt:
    """Return the attempt that decides what a payment is: the last one of the strongest standing."""
    return max(reversed(payment.attempts), key=lambda attempt: _WEAKEST_FIRST.index(standing_of(attempt, terms)))
