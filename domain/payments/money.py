"""Converts money to integers of minor units of an ISO 4217 currency. Never uses floats."""

from decimal import MAX_PREC, Context, Decimal

from iso4217 import Currency

from models.payments.payment_terms import AmountUnit

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


def amount_text(amount_minor: int | None, currency: str | None, exponent: int | None) -> str:
    """Return an amount as people write it: 2100 minor units of ILS are `21.00 ILS`."""
    if amount_minor is None:
        return "–"
    if exponent is None:
        return f"{amount_minor} minor units"
    whole, rest = divmod(abs(amount_minor), 10**exponent)
    fraction = f".{rest:0{exponent}}" if exponent else ""
    return f"{'-' if amount_minor < 0 else ''}{whole}{fraction} {currency}"
