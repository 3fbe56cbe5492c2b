"""Decides when people are notified: when something begins, ever more rarely while it grows, and when it is over.

A letter that was not taken is sent again for three days.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from models.people import Notice, NoticeKind, Sighting

_AT_ONCE = timedelta(0)


class Word(StrEnum):
    """What a letter says of a notice: it begins, it grows, it is over."""

    FIRST = "first"
    MORE = "more"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Manner:
    """How people are told of a kind of notices.

    The first letter comes once the thing has lasted for `after`. While it grows, a letter comes after a pause of
    `pause`, which doubles each time up to `longest_pause`. It is over once it was not found for `settles_in`; a thing
    that leaves no trace of its end is over once nothing new has happened for `quiet_for`.
    """

    after: timedelta = _AT_ONCE
    pause: timedelta = timedelta(hours=3)
    longest_pause: timedelta = timedelta(hours=24)
    settles_in: timedelta = _AT_ONCE
    quiet_for: timedelta | None = None


_HOURLY = timedelta(hours=1)
MANNERS: dict[NoticeKind, Manner] = {
    # An archive that runs again is not failed meanwhile, and may fail again.
    NoticeKind.ARCHIVES_FAILED: Manner(settles_in=timedelta(minutes=10)),
    NoticeKind.RUNS_FAILED: Manner(),
    NoticeKind.SYSTEM_AWAY: Manner(after=timedelta(minutes=10)),
    NoticeKind.STORE_DAMAGED: Manner(),
    NoticeKind.STORE_UNVERIFIED: Manner(),
    NoticeKind.DELIVERIES_REFUSED: Manner(quiet_for=timedelta(hours=6)),
    NoticeKind.RECEIVER_REFUSING: Manner(pause=_HOURLY, quiet_for=timedelta(hours=2)),
    # Doubled pauses would be longer than the hours that are left.
    NoticeKind.PROCESSES_MISSING: Manner(pause=_HOURLY, longest_pause=_HOURLY),
    NoticeKind.ENDPOINT_FAILING: Manner(after=timedelta(minutes=30), settles_in=timedelta(minutes=10)),
    NoticeKind.ENDPOINT_DISABLED: Manner(),
    NoticeKind.MESSAGES_DEAD: Manner(),
    NoticeKind.CONDITION: Manner(),
}


def opened(seen: Sighting, notice_id: str) -> Notice:
    """Return the new notice of a thing that was found for the first time."""
    its = {"notice_id": notice_id, "detail": _kept(seen), "most": seen.count, "opened_at": seen.since}
    return Notice(**asdict(seen) | its)


def looked_at(known: Notice, seen: Sighting | None, now: datetime) -> Notice:
    """Return an open notice after a look at the installation, which has found its thing again, or has not."""
    if seen is None or seen.count == 0:
        return _not_found(known, now, _kept(seen) if seen else known.detail)
    return settled(found_again(known, seen), now)


def settled(known: Notice, now: datetime) -> Notice:
    """Return an open notice, closed if its thing has been gone, or quiet, for long enough."""
    quiet_for = MANNERS[known.kind].quiet_for
    is_quiet = quiet_for is not None and now - known.last_at >= quiet_for
    return _not_found(known, now, known.detail) if known.gone_at or is_quiet else known


def found_again(known: Notice, seen: Sighting) -> Notice:
    """Return an open notice after its thing was found again."""
    found = {
        "detail": _kept(seen),
        "level": seen.level,
        "count": seen.count,
        "most": max(known.most, seen.count),
        "opened_at": min(known.opened_at, seen.since),
        "last_at": max(known.last_at, seen.last_at),
        "gone_at": None,
    }
    return known.model_copy(update=found)


def _kept(seen: Sighting) -> dict[str, Any] | None:
    return seen.detail.as_json() if seen.detail else None


def _not_found(known: Notice, now: datetime, detail: dict[str, Any] | None) -> Notice:
    gone_at = known.gone_at or now
    closed_at = now if now - gone_at >= MANNERS[known.kind].settles_in else None
    return known.model_copy(update={"gone_at": gone_at, "closed_at": closed_at, "detail": detail})


def word_due(notice: Notice, now: datetime) -> Word | None:
    """Return what people are to be told of a notice now, None if nothing.

    What is over before anybody was told of it stays untold.
    """
    if notice.closed_at:
        return Word.OVER if notice.told_times else None
    if notice.gone_at:
        return None
    manner = MANNERS[notice.kind]
    if notice.told_at is None or notice.told_last_at is None:
        return Word.FIRST if now - notice.opened_at >= manner.after else None
    if notice.level > notice.told_level:
        return Word.MORE
    has_grown = notice.count > notice.told_count or notice.last_at > notice.told_last_at
    return Word.MORE if has_grown and now - notice.told_at >= _pause(manner, notice.told_times) else None


def told(notice: Notice, now: datetime) -> Notice:
    """Return a notice of which people are told now."""
    last = {"told_at": now, "told_count": notice.count, "told_level": notice.level, "told_last_at": notice.last_at}
    return notice.model_copy(update={"told_times": notice.told_times + 1, **last})


def _pause(manner: Manner, told_times: int) -> timedelta:
    pause: timedelta = manner.pause * 2 ** min(told_times - 1, 10)
    return min(pause, manner.longest_pause)


_TRIED_FOR = timedelta(days=3)
_FIRST_PAUSE = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(hours=1)


def next_attempt(planned_at: datetime, attempts: int, now: datetime) -> datetime | None:
    """Return when a letter is sent again after `attempts` failed in a row; None after three days, when it is given up.

    The pause doubles from a minute to an hour. Pure.
    """
    if now - planned_at >= _TRIED_FOR:
        return None
    pause: timedelta = _FIRST_PAUSE * 2 ** min(attempts - 1, 10)
    return now + min(pause, _LONGEST_PAUSE)
