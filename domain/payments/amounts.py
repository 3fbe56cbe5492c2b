"""The amounts of a payment, and its instalments, in integers of minor units."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from domain.payments.money import exponent_of, minor_units
from domain.payments.standing import succeeded_type
from models.payments.payment import Attempt, Standing
from models.payments.payment_terms import PaymentTerms

_MOST_INSTALMENTS = 999  # a number beyond it counts no instalments, and must not cost the archive


@dataclass(frozen=True, slots=True)
class Amounts:
    """A payment's amount and the provider's total in minor units; `fault` says why `amount_minor` is None."""

    amount_minor: int | None
    total_minor: int | None
    exponent: int | None
    fault: str | None


def amounts_of(attempt: Attempt, terms: PaymentTerms) -> Amounts:
    """Return an attempt's amounts in minor units. The provider's total always is in minor units. Without a currency
    there is no amount, though it may have a fault that needs none to be seen.

    Source: Credit Guard's `total`, in agorot. That `amount` is too is inferred, hence the unit of the terms.
    """
    exponent = exponent_of(attempt.currency)
    total_minor = _whole(attempt.provider_total)
    if attempt.amount is None:
        return Amounts(None, total_minor, exponent, "missing or no number")
    amount_minor = minor_units(_judgeable(attempt.amount, exponent, terms), exponent or 0, terms.unit)
    if amount_minor is None:
        return Amounts(None, total_minor, exponent, "a fraction of a minor unit, or beyond 64 bits")
    if attempt.amount <= 0 and _is_charge(attempt, terms):
        return Amounts(None, total_minor, exponent, "zero or negative on a charge")
    return Amounts(None if exponent is None else amount_minor, total_minor, exponent, None)


def _judgeable(amount: Decimal, exponent: int | None, terms: PaymentTerms) -> Decimal:
    """An amount without what only its currency could judge: whether the fraction of a major unit is a whole of minor
    ones.
    """
    only_currency_tells = exponent is None and terms.unit == "major"
    return amount.to_integral_value(ROUND_DOWN) if only_currency_tells else amount


def _is_charge(attempt: Attempt, terms: PaymentTerms) -> bool:
    """Whether it says of itself that it has taken money, authorised or not."""
    type_ = succeeded_type(attempt, terms)
    return type_ is not None and type_.standing is Standing.CHARGED


@dataclass(frozen=True, slots=True)
class Instalments:
    """`count` is that of all payments, the first among them. `sums_minor` are what the readings of the provider's
    numbers add up to, where none gives the total.
    """

    count: int | None
    first_minor: int | None
    periodical_minor: int | None
    sums_minor: tuple[int, ...]


def instalments_of(attempt: Attempt, amounts: Amounts) -> Instalments:
    """Return the instalments in which a payment is made. One that is paid at once has a count of None.

    Credit Guard's `numberOfPayments` counts the periodical payments, beside the first; installations differ in whether
    the first is in it, so the reading that adds up to the total is taken. Where there is no first, the number is that
    of all. Without a total, or without the amount of a payment, there is nothing to add up, and the number stands as
    sent.
    """
    number, first = _whole(attempt.number_of_payments), _whole(attempt.first_payment)
    periodical = _whole(attempt.periodical_payment)
    if number is None or number <= 0:
        return Instalments(None, first, periodical, ())
    total = amounts.amount_minor if amounts.total_minor is None else amounts.total_minor
    if total is None or not _adds_up_to_something(number, first, periodical):
        return Instalments(_countable(number), first, periodical, ())
    beside_first = (number, number - 1) if first else (number,)
    sums = tuple((first or 0) + each * (periodical or 0) for each in beside_first)
    for each, sum_minor in zip(beside_first, sums, strict=True):
        if sum_minor == total:
            return Instalments(_countable(bool(first) + (each if periodical else 0)), first, periodical, ())
    return Instalments(_countable(number), first, periodical, sums)


def _adds_up_to_something(number: int, first: int | None, periodical: int | None) -> bool:
    """Whether the amount of every payment is told: a lone one needs no periodical amount."""
    return periodical is not None or (first is not None and number == 1)


def _countable(number: int) -> int | None:
    return number if 0 < number <= _MOST_INSTALMENTS else None


def _whole(number: Decimal | None) -> int | None:
    return None if number is None else minor_units(number, 0, "minor")
