"""Decides whether a payload says anything new, and which version is current."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from math import nan
from typing import Any

_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
"""Takes every number that can be parsed. In the default context 1e999999999 raises, and the 29th digit is lost."""

_MOST_AHEAD = timedelta(days=1)
"""How far a time may lie after the arrival: the clocks of two machines, and a clock that is wrong by a zone."""


@dataclass(frozen=True, slots=True)
class Age:
    """The age of a version: its event's time, if a payload has one, and its first arrival. Times in UTC.

    `is_from_future`: the time of the event lies more than a day after the arrival, so nobody can know it.
    `is_set_aside`: only another source than that of the process has sent the version, and nobody has accepted it.
    """

    event_at: datetime | None
    received_at: datetime
    receipt_id: str
    is_from_future: bool = False
    is_set_aside: bool = False

    @property
    def made_at(self) -> datetime:
        """When the version was made. Without a time that can be right, it counts as made when it was received."""
        return self.received_at if self.is_from_future else self.event_at or self.received_at


def age_of(event_at: datetime | None, received_at: datetime, receipt_id: str, *, is_set_aside: bool = False) -> Age:
    """Return the age of a receipt by what it says and when it arrived. Pure."""
    is_from_future = event_at is not None and event_at - received_at > _MOST_AHEAD
    return Age(event_at, received_at, receipt_id, is_from_future, is_set_aside)


def repeated(version: Age, receipt: Age) -> Age:
    """Return the age of a version after a receipt that says the same: the version becomes no older. Pure.

    A receipt from the future or of another source says nothing about the age of the version.
    """
    if receipt.is_from_future or receipt.is_set_aside:
        return version
    made_at = max(version.made_at, receipt.made_at)
    return replace(version, event_at=made_at, is_from_future=False, is_set_aside=False)


def newest_first(ages: Iterable[Age]) -> list[Age]:
    """Return the versions of a process that count, from the newest to the oldest. The first is the current version.

    The version with the later event is newer, so an old payload that arrives late never replaces a newer one. Versions
    that are set aside do not count. A version from the future is older than each version that arrived after it. Pure:
    the order in which versions are archived does not matter.
    """
    placed, oldest_later = list[tuple[datetime, bool, datetime, str, Age]](), datetime.max.replace(tzinfo=UTC)
    counted = (each for each in ages if not each.is_set_aside)
    for age in sorted(counted, key=lambda each: (each.received_at, not each.is_from_future), reverse=True):
        made_at = min(age.made_at, oldest_later) if age.is_from_future else age.made_at
        oldest_later = oldest_later if age.is_from_future else min(made_at, oldest_later)
        placed.append((made_at, not age.is_from_future, age.received_at, age.receipt_id, age))
    return [each[-1] for each in sorted(placed, key=lambda each: each[:-1], reverse=True)]


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
