"""Money: integers of minor units of an ISO 4217 currency. Never a float."""

from decimal import MAX_PREC, Context, Decimal
from typing import Literal

from iso4217 import Currency

AmountUnit = Literal["minor", "major"]

_INT64 = 1 << 63
_EXACT = Context(prec=MAX_PREC)  # the default of 28 digits would round a tiny fraction away


def exponent_of(currency: str | None) -> int | None:
    """How many digits of a currency's amount are minor units (ILS 2, JPY 0, KWD 3); None for what is no currency.

    Source: ISO 4217, as the iso4217 library ships it. Gold and the like (`XAU`) have no minor unit and are none.
    """
    try:
        exponent: int | None = Currency(currency).exponent
    except ValueError:
        return None
    return exponent


def minor_units(amount: Decimal, exponent: int, unit: AmountUnit) -> int | None:
    """Return `amount` in minor units; None where it is a fraction of one, or beyond 64 bits."""
    scaled = amount.scaleb(exponent, _EXACT) if unit == "major" else amount
    return int(scaled) if scaled == scaled.to_integral_value() and abs(scaled) < _INT64 else None
