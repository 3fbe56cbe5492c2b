"""What a payment means for the books."""

from models.payments.payment import Attempt, Payment, Standing
from models.payments.payment_terms import PaymentTerms, PaymentType

# What may have taken money stands before what took none: a verification must not hide an attempt that nobody knows.
_WEAKEST_FIRST = (Standing.FAILED, Standing.VERIFIED, Standing.UNKNOWN, Standing.HELD, Standing.CHARGED)


def standing_of(attempt: Attempt, terms: PaymentTerms) -> Standing:
    """Return what an attempt means for the books, by its status, its type, the provider's result and, where the type
    wants one, its authorisation.

    The sets of types and of statuses are open, and both readings of a new word would be a claim about money: that it
    was taken, or that none was. What nobody told us of, a success that the provider's result contradicts, and one that
    lacks the authorisation it needs, is unknown until a person or a settlement says more.
    """
    if is_failure(attempt, terms):
        return Standing.FAILED
    type_ = succeeded_type(attempt, terms)
    if type_ is None or contradiction(attempt, terms) or (type_.needs_authorisation and attempt.authorisation is None):
        return Standing.UNKNOWN
    return type_.standing


def succeeded_type(attempt: Attempt, terms: PaymentTerms) -> PaymentType | None:
    """The type of an attempt that succeeded; None where it did not, or where the table lacks it."""
    return terms.types.get(attempt.type or "") if is_success(attempt, terms) else None


def is_success(attempt: Attempt, terms: PaymentTerms) -> bool:
    """Whether its status says so."""
    return _plain(attempt.status) in terms.successes


def is_failure(attempt: Attempt, terms: PaymentTerms) -> bool:
    return _plain(attempt.status) in terms.failures


def contradiction(attempt: Attempt, terms: PaymentTerms) -> str | None:
    """The first member of the provider's result that tells of no success. One that is not there tells nothing."""
    told = {member: _plain(attempt.results.get(member)) for member in terms.results}
    return next((member for member, said in told.items() if said and said not in terms.results[member]), None)


def _plain(word: str | None) -> str:
    return (word or "").strip().lower()


def deciding(payment: Payment, terms: PaymentTerms) -> Attempt:
    """Return the attempt that decides what a payment is: the last one of the strongest standing."""
    return max(reversed(payment.attempts), key=lambda attempt: _WEAKEST_FIRST.index(standing_of(attempt, terms)))
