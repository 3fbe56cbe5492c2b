"""Decides whether a payload says anything new, and which of two receipts is the current version."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from math import nan
from typing import Any

_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
"""Takes every number that can be parsed. In the default context 1e999999999 raises, and the 29th digit is lost."""


@dataclass(frozen=True, slots=True)
class Age:
    """The age of a receipt: its event's time, if the payload has one, and its first arrival. Times in UTC."""

    event_at: datetime | None
    received_at: datetime
    receipt_id: str


def supersedes(candidate: Age, current: Age) -> bool:
    """Return whether a receipt replaces the rows of the current one. Pure, and a total order.

    The receipt with the later event is newer, so an old payload that arrives late never replaces a newer one. A payload
    without a time of its event counts as made when it was received.
    """
    return _order(candidate) > _order(current)


def newest_first(ages: Iterable[Age]) -> list[Age]:
    """Return receipts from the newest to the oldest, so that each supersedes the next. Pure."""
    return sorted(ages, key=_order, reverse=True)


def _order(age: Age) -> tuple[datetime, datetime, str]:
    """Return the sort key of a receipt. With a separate rule for pairs that include a receipt without a time, three
    receipts could each replace the next in a circle, and the current version would depend on the order of archiving.
    """
    return (age.event_at or age.received_at, age.received_at, age.receipt_id)


def statement_of(document: dict[str, Any], digests: Sequence[str]) -> str:
    """Return a payload's meaning as text. A payload with an equal text makes no new version. Pure.

    Args:
        document: the parsed skeleton. Its `event.timestamp` does not count.
        digests: digests of the contents, in the order of their cuts.
    """
    event = document.get("event")
    if isinstance(event, dict):
        document = {**document, "event": {name: value for name, value in event.items() if name != "timestamp"}}
    return json.dumps([document, *digests], sort_keys=True, default=_number)


def _number(value: Decimal) -> list[float | str]:
    """Return the number as text beside NaN. No payload can contain NaN, so the pair never equals a payload's list."""
    return [nan, str(_EXACT.normalize(value))]
