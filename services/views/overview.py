"""Gives people the overview: what needs them first, and how the installation went over hours and days.

What is open now is counted for each request. Hours that have ended are counted once and kept in memory. Days, the state
of the parts and the inbox are measured in the background; days are up to a minute old.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from sqlmodel import Session

from adapters.database.transactions import reading
from adapters.inbox.inbox import Backlog, backlog
from adapters.settings.settings import settings
from adapters.tables import by_hour
from adapters.tables.open_conditions import open_conditions
from domain.overview import HOUR, MINUTES, by_day, hours_of_days, hours_until, minutes_since, periods
from models.store.condition import Severity
from models.views.health import Check, Grade
from models.views.overview import Attention, Counted, Overview, Waiting
from services.health.checks import examined
from services.health.recent import Recent
from services.health.systems import system_probes

_PATIENCE_S = 1.0
_CHECKED_WITHIN_S = 10
_SETTLES_AFTER = timedelta(minutes=10)
_KEPT_FOR = timedelta(hours=6)
_NOT_WELL = (Grade.WARNING, Grade.WRONG)


def overview(now: datetime) -> Overview:
    """Return the overview. What cannot be known within a second is None, and is known at a later request."""
    measured = _measured(settings().database_location)
    measured.begin()
    with reading() as session:
        hours = measured.history.counted(session, hours_until(now), now)
        first_at, levels = by_hour.first_at(session), by_hour.levels(session)
        minutes = by_hour.counted(session, minutes_since(first_at, now), MINUTES)
    conditions = [each for each in open_conditions() if each.severity is not Severity.INFO]
    deadline_s = time.monotonic() + _PATIENCE_S
    month = measured.month.value(deadline_s - time.monotonic())
    queue = measured.queue.value(deadline_s - time.monotonic())
    parts = measured.parts.value(deadline_s - time.monotonic())
    return Overview(
        at=now,
        first_at=first_at,
        minutes=periods(minutes, levels),
        attention=Attention(conditions=conditions, parts=[each for each in parts or () if each.verdict in _NOT_WELL]),
        hours=periods(hours, levels),
        days=periods(month, levels) if month is not None else None,
        waiting=Waiting(receipts=queue.receipts, oldest_at=queue.oldest_at) if queue is not None else None,
        parts=parts,
    )


class _History:
    """What happened within hours that have ended, as it was counted.

    Deliveries of an outage are registered after it, so an hour is kept from ten minutes after its end on, and for six
    hours.
    """

    def __init__(self) -> None:
        self._kept: dict[datetime, tuple[Counted, datetime]] = {}

    def counted(self, session: Session, hours: Sequence[datetime], now: datetime) -> dict[datetime, Counted]:
        """Return what happened within some hours. Those that are not kept are counted."""
        kept = dict(self._kept)
        known = {each: kept[each][0] for each in hours if each in kept and now - kept[each][1] < _KEPT_FOR}
        found = by_hour.counted(session, [each for each in hours if each not in known])
        self._kept |= {each: (what, now) for each, what in found.items() if now >= each + HOUR + _SETTLES_AFTER}
        return known | found

    def forget_before(self, hour: datetime) -> None:
        for each in [each for each in self._kept if each < hour]:
            self._kept.pop(each, None)


@dataclass(frozen=True, slots=True)
class _Measured:
    """What is measured in the background."""

    history: _History
    month: Recent[Mapping[datetime, Counted]]
    parts: Recent[list[Check]]
    queue: Recent[Backlog]

    def begin(self) -> None:
        self.month.begin()
        self.parts.begin()
        self.queue.begin()


@lru_cache(maxsize=1)
def _measured(_database_location: str) -> _Measured:
    """Return what is kept of an installation."""
    history = _History()
    return _Measured(
        history,
        month=Recent(lambda: _month(history), fresh_s=60, old_s=6 * 3600),
        parts=Recent(lambda: examined(system_probes(), _CHECKED_WITHIN_S), fresh_s=60, old_s=300),
        queue=Recent(backlog, fresh_s=5, old_s=60),
    )


def _month(history: _History) -> dict[datetime, Counted]:
    """Return what happened on each day of the month, by its begin."""
    now, zone = datetime.now(UTC), settings().payment_terms.zone
    hours = hours_of_days(now, zone)
    history.forget_before(hours[0])
    with reading() as session:
        return by_day(history.counted(session, hours, now), zone)
