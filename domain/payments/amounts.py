"""Computes the amounts and instalments of a payment: integers of minor units of an ISO 4217 currency, never floats."""

from dataclasses import dataclass
from decimal import MAX_PREC, ROUND_DOWN, Context, Decimal
from gettext import NullTranslations

from iso4217 import Currency

from domain.payments.standing import succeeded_type
from models.payments import AmountUnit, Attempt, PaymentTerms, Standing
from models.said import Sentence

_INT64 = 1 << 63
_EXACT = Context(prec=MAX_PREC)  # the default of 28 digits would round a tiny fraction away


def exponent_of(currency: str | None) -> int | None:
    """Return the number of decimal digits of a currency (ILS 2, JPY 0, KWD 3), or None if it is no currency.

    Source: ISO 4217, as the iso4217 library ships it. Gold and the like (`XAU`) have no minor unit and return None.
    """
    try:
        exponent: int | None = Currency(currency).exponent
    except ValueError:
        return None
    return exponent


def minor_units(amount: Decimal, exponent: int, unit: AmountUnit) -> int | None:
    """Return `amount` in minor units, or None if it has a fraction of a minor unit or is beyond 64 bits."""
    scaled = amount.scaleb(exponent, _EXACT) if unit == "major" else amount
    return int(scaled) if scaled == scaled.to_integral_value() and abs(scaled) < _INT64 else None


def amount_text(
    amount_minor: int | None, currency: str | None, exponent: int | None, texts: NullTranslations | None = None
) -> str:
    """Return an amount as people write it: 2100 minor units of ILS are `21.00 ILS`; without `texts`, as records do."""
    if amount_minor is None:
        return "–"
    if exponent is None:
        unknown = texts.gettext("%(amount)s (smallest unit, currency unknown)") if texts else "%(amount)s minor units"
        return unknown % {"amount": amount_minor}
    whole, rest = divmod(abs(amount_minor), 10**exponent)
    fraction = f".{rest:0{exponent}}" if exponent else ""
    return f"{'-' if amount_minor < 0 else ''}{whole}{fraction} {currency}"


_MOST_INSTALMENTS = 999  # a larger number is no count of instalments, and must not make the archive fail


@dataclass(frozen=True, slots=True)
class Amounts:
    """A payment's amount and the provider's total in minor units; `fault` says why `amount_minor` is None."""

    amount_minor: int | None
    total_minor: int | None
    exponent: int | None
    fault: Sentence | None


def amounts_of(attempt: Attempt, terms: PaymentTerms) -> Amounts:
    """Return an attempt's amounts in minor units. The provider's total is always sent in minor units.

    In minor units, an amount is known without a currency. In major units it is not: currencies differ in how many minor
    units make one. A fault that does not depend on the currency is reported all the same.

    Source: Credit Guard's `total`, in agorot. That `amount` is in agorot too is inferred, so the terms set its unit.
    """
    exponent = exponent_of(attempt.currency)
    total_minor = _whole(attempt.provider_total)
    if attempt.amount is None:
        return Amounts(None, total_minor, exponent, Sentence.not_a_number)
    only_currency_tells = exponent is None and terms.unit == "major"
    judged = attempt.amount.to_integral_value(ROUND_DOWN) if only_currency_tells else attempt.amount
    amount_minor = minor_units(judged, exponent or 0, terms.unit)
    if amount_minor is None:
        return Amounts(None, total_minor, exponent, Sentence.fraction_of_amount)
    if attempt.amount <= 0 and _is_charge(attempt, terms):
        return Amounts(None, total_minor, exponent, Sentence.not_positive)
    return Amounts(None if only_currency_tells else amount_minor, total_minor, exponent, None)


def _is_charge(attempt: Attempt, terms: PaymentTerms) -> bool:
    """Return whether the attempt claims to have taken money, authorised or not."""
    type_ = succeeded_type(attempt, terms)
    return type_ is not None and type_.standing is Standing.CHARGED


@dataclass(frozen=True, slots=True)
class Instalments:
    """The instalments of a payment.

    `count` includes the first payment. `sums_minor` holds the sum of each reading of the provider's numbers; it is
    empty unless every reading differs from the total.
    """

    count: int | None
    first_minor: int | None
    periodical_minor: int | None
    sums_minor: tuple[int, ...]


def instalments_of(attempt: Attempt, amounts: Amounts) -> Instalments:
    """Return the instalments of a payment. A payment made at once has a count of None.

    Credit Guard's `numberOfPayments` counts the periodical payments after the first payment. Installations differ in
    whether it includes the first payment, so the reading that adds up to the total is taken. Without a first payment,
    it counts all payments. Without a total, or without the amount of a payment, the number is kept as sent.
    """
    number, first = _whole(attempt.number_of_payments), _whole(attempt.first_payment)
    periodical = _whole(attempt.periodical_payment)
    if number is None or number <= 0:
        return Instalments(None, first, periodical, ())
    total = amounts.amount_minor if amounts.total_minor is None else amounts.total_minor
    # A single payment needs no periodical amount.
    if total is None or (periodical is None and (first is None or number != 1)):
        return Instalments(_countable(number), first, periodical, ())
    beside_first = (number, number - 1) if first else (number,)
    sums = tuple((first or 0) + each * (periodical or 0) for each in beside_first)
    for each, sum_minor in zip(beside_first, sums, strict=True):
        if sum_minor == total:
            return Instalments(_countable(bool(first) + (each if periodical else 0)), first, periodical, ())
    return Instalments(_countable(number), first, periodical, sums)


def _countable(number: int) -> int | None:
    return number if 0 < number <= _MOST_INSTALMENTS else None


def _whole(number: Decimal | None) -> int | None:
    return None if number is None else minor_units(number, 0, "minor")
