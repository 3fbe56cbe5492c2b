"""Cards: what looks like a number is shown as its last four digits at the most; and when a card expires."""

import re
from datetime import date

_CARD_NUMBER = re.compile(r"\d(?:[ -]?\d){8,14}(?=(?:[ -]?\d){4}(?!\d))")
_LAST_FOUR = re.compile(r"[0-9]{4}\Z")
_EXPIRY = re.compile(r"(0[1-9]|1[0-2])/?([0-9]{2})")


def masked(text: str) -> str:
    """Return `text` with all but the last four of each run of 13 to 19 digits as asterisks. Pure.

    A mask that the provider has made is left as it is, and so is an id with letters in it.
    """
    return _CARD_NUMBER.sub(lambda number: re.sub(r"\d", "*", number[0]), text)


def last_four(text: str | None) -> str | None:
    """Return the last four digits of a card's number, masked or not; None where it does not end in four."""
    found = _LAST_FOUR.search((text or "").strip())
    return found[0] if found else None


def expiry_month(text: str | None) -> date | None:
    """Return the first day of the month that `MMYY` tells, also with a slash between; None for all else.

    Source: Credit Guard's `cardExpiration`. Cards live for a few years, so the century is this one.
    """
    found = _EXPIRY.fullmatch((text or "").strip())
    return date(2000 + int(found[2]), int(found[1]), 1) if found else None
