"""Draws a fortnight from a seed: processes with their events and archives, outages of endpoints, and kills. Pure.

Nothing happens within a few minutes of a round, so that no order of milliseconds decides what is found.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from random import Random

from models.completeness.processes import SessionEventType as Type

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
ROUNDS_EACH = timedelta(minutes=30)
DAYS = 14
_LAST_SUBMISSION = timedelta(days=11)
"""The last process begins here, so that each has come to its end with the fortnight: 48 h and a bit later."""
_LAST_FAILURE = timedelta(days=6)
"""Cellosign keeps what failed for seven days."""
_KILLS = 10
_ROUNDS_AFTER = 8
"""What is not confirmed at the end is tried again in these."""
DELIVERS_AFTER = timedelta(seconds=40)
LOOKS_AFTER = timedelta(seconds=110)
"""In a round, messages are delivered a little later than processes are looked for, and people are told last."""


class Fate(StrEnum):
    """What becomes of a process. The number is that of its alerts."""

    PROMPT = "archived within the hour"
    LATE = "archived before its first alert"
    LATE_AFTER_24 = "archived after the alert at 24 hours"
    LATE_AFTER_12 = "archived after the alert at 12 hours"
    LATE_AFTER_2 = "archived after the alert at 2 hours"
    LOST = "submitted, and never archived"
    EXPIRED = "expired without an archive"
    DELETED = "deleted without an archive"
    OPEN = "neither submitted nor ended"


_SHARES = {
    Fate.PROMPT: 1700,
    Fate.LATE: 100,
    Fate.LATE_AFTER_24: 60,
    Fate.LATE_AFTER_12: 40,
    Fate.LATE_AFTER_2: 30,
    Fate.LOST: 30,
    Fate.EXPIRED: 20,
    Fate.DELETED: 10,
    Fate.OPEN: 10,
}
_ARCHIVED_AFTER_H = {
    Fate.PROMPT: (0.02, 0.8),
    Fate.LATE: (3, 22),
    Fate.LATE_AFTER_24: (25, 34),
    Fate.LATE_AFTER_12: (37, 44.5),
    Fate.LATE_AFTER_2: (46.6, 47.4),
}


@dataclass(frozen=True, slots=True)
class PlannedEvent:
    """A session event: the time that it states, and the times at which it arrives; several if it comes again."""

    type: Type
    event_at: datetime
    arrives_at: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class PlannedProcess:
    """A process. `ended_at` is the time of its submission or of its end without one; None if it stays open."""

    number: int
    source: str
    fate: Fate
    events: tuple[PlannedEvent, ...]
    ended_at: datetime | None
    archive_at: datetime | None

    @property
    def reference(self) -> str:
        return f"process-{self.number:05}"


class Victim(StrEnum):
    WORKER = "worker"
    RECEIVER = "receiver"


@dataclass(frozen=True, slots=True)
class Kill:
    """`at` is the round during which, or the arrival during which, the victim is killed."""

    victim: Victim
    at: datetime


@dataclass(frozen=True, slots=True)
class Fortnight:
    processes: tuple[PlannedProcess, ...]
    kills: tuple[Kill, ...]
    down_from: datetime
    """One endpoint does not answer from here to `down_until`: from Friday evening to Monday morning."""
    down_until: datetime

    @property
    def end(self) -> datetime:
        return BEGIN + timedelta(days=DAYS)

    @property
    def until(self) -> datetime:
        """Return the last round, in which nothing is left to be done."""
        return self.end + _ROUNDS_AFTER * ROUNDS_EACH


def drawn(seed: int, count: int = 2000, sources: Sequence[str] = ("default", "loans")) -> Fortnight:
    """Return the fortnight of a seed, with about `count` processes in the shares of `_SHARES`."""
    random = Random(seed)
    fates = [fate for fate, share in _SHARES.items() for _ in range(max(1, share * count // 2000))]
    random.shuffle(fates)
    processes = tuple(_process(random, number, random.choice(sources), fate) for number, fate in enumerate(fates, 1))
    friday = BEGIN + timedelta(days=4, hours=18)
    return Fortnight(processes, _kills(random, friday), friday, friday + timedelta(hours=62))


def rounds(since: datetime = BEGIN, until: datetime = BEGIN + timedelta(days=DAYS)) -> Iterator[datetime]:
    """Yield the times at which the scheduled work is done, from after `since` up to `until`."""
    at = since + ROUNDS_EACH
    while at <= until:
        yield at
        at += ROUNDS_EACH


def round_after(at: datetime) -> datetime:
    """Return the first round at or after a time."""
    return BEGIN - (BEGIN - at) // ROUNDS_EACH * ROUNDS_EACH


def _process(random: Random, number: int, source: str, fate: Fate) -> PlannedProcess:
    fails = fate in (Fate.EXPIRED, Fate.DELETED)
    begins_at = _moment(random, BEGIN, BEGIN + (_LAST_FAILURE if fails else _LAST_SUBMISSION))
    types = [Type.CREATED, Type.FORM_LOADED, Type.LOGGED_IN]
    end = {Fate.EXPIRED: Type.EXPIRED, Fate.DELETED: Type.DELETED, Fate.OPEN: None}.get(fate, Type.FORM_SUBMITTED)
    times = [begins_at + timedelta(minutes=each) for each in sorted(random.sample(range(1, 20), len(types)))]
    ended_at = _off_round(begins_at + timedelta(minutes=random.randint(25, 180))) if end else None
    said = [*zip(types, times, strict=True), *([(end, ended_at)] if end and ended_at else [])]
    events = tuple(_event(random, each, at) for each, at in said)
    hours = _ARCHIVED_AFTER_H.get(fate)
    archive_at = _off_round(ended_at + timedelta(hours=random.uniform(*hours))) if hours and ended_at else None
    return PlannedProcess(number, source, fate, events, ended_at, archive_at)


def _event(random: Random, type_: Type, at: datetime) -> PlannedEvent:
    """Return an event that arrives within ten minutes, so that events overtake each other; one in ten comes twice."""
    arrivals = [at + timedelta(seconds=random.randint(1, 600)) for _ in range(2 if random.random() < 0.1 else 1)]
    return PlannedEvent(type_, at, tuple(sorted(map(_off_round, arrivals))))


def _moment(random: Random, since: datetime, until: datetime) -> datetime:
    return since + timedelta(seconds=random.randrange(int((until - since).total_seconds())))


def _off_round(at: datetime) -> datetime:
    """Return a time that is at least two minutes away from a round, at most two minutes later."""
    into = (at - BEGIN) % ROUNDS_EACH
    near = timedelta(minutes=2)
    if into < near:
        return at + (near - into)
    return at + (ROUNDS_EACH - into) + near if ROUNDS_EACH - into < near else at


def _kills(random: Random, down_from: datetime) -> tuple[Kill, ...]:
    """Return ten kills of each, at rounds of their own.

    None comes while the outage begins: a killed worker does not know that its last attempt has failed.
    """
    quiet = (down_from - timedelta(hours=1), down_from + timedelta(hours=12))
    possible = rounds(BEGIN + timedelta(days=1), BEGIN + timedelta(days=12))
    at = random.sample([each for each in possible if not quiet[0] <= each <= quiet[1]], 2 * _KILLS)
    victims = [Victim.WORKER, Victim.RECEIVER] * _KILLS
    return tuple(sorted((Kill(victim, each) for victim, each in zip(victims, at, strict=True)), key=lambda it: it.at))
