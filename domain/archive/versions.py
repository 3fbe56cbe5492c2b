"""Versions of an archive: whether a payload says anything new, and which of two receipts is the current one."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from math import nan
from typing import Any

_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
"""Takes every number that can be parsed; in the default one 1e999999999 raises, and the 29th digit is lost."""


@dataclass(frozen=True, slots=True)
class Age:
    """When Cellosign made a payload, where it says so, and when it was received first. Times in UTC."""

    event_at: datetime | None
    received_at: datetime
    receipt_id: str


def supersedes(candidate: Age, current: Age) -> bool:
    """Return whether a receipt replaces the rows of the current one. Pure, and a total order.

    What was made later is newer; an old payload that is sent late never takes the place of a newer one. One that does
    not tell when it was made counts as made when it was received.
    """
    return _order(candidate) > _order(current)


def newest_first(ages: Iterable[Age]) -> list[Age]:
    """Return receipts in the order in which each takes the place of the next. Pure."""
    return sorted(ages, key=_order, reverse=True)


def _order(age: Age) -> tuple[datetime, datetime, str]:
    """One key for all. With a rule of their own for pairs where one does not tell, three receipts could each replace
    the next, and whose rows stand would hang on the order of archiving.
    """
    return (age.event_at or age.received_at, age.received_at, age.receipt_id)


def said(document: dict[str, Any], digests: Sequence[str]) -> str:
    """Return what a payload says, whenever it was sent: a payload with an equal text brings no new version. Pure.

    Args:
        document: the parsed skeleton, whose `event.timestamp` does not count.
        digests: of the contents, in the order of their cuts.
    """
    event = document.get("event")
    if isinstance(event, dict):
        document = {**document, "event": {name: value for name, value in event.items() if name != "timestamp"}}
    return json.dumps([document, *digests], sort_keys=True, default=_number)


def _number(value: Decimal) -> list[float | str]:
    """Beside NaN, which no payload can say: else the text of a number were that of a number."""
    return [nan, str(_EXACT.normalize(value))]
