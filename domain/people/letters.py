"""Says when a letter to people is due, and what stands in it: the lines of what is new or has grown, and what is over.

An address gets a letter an hour at most. Damage and deadlines that come near are told at once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.people.conditions import alike, condition_text
from domain.words.catalogue import word
from models.errors import System
from models.people import Trouble
from models.said import Said
from models.store.condition import OF_CHECKS, OF_COMPARISONS, DerivedCode
from models.views.troubles import ConditionGroup

_AN_HOUR = timedelta(hours=1)
_LASTS = timedelta(minutes=10)
"""What ends sooner is told to nobody, unless it is urgent."""
_DAMAGE = OF_CHECKS | OF_COMPARISONS
_BEFORE_DEADLINES = (timedelta(hours=24), timedelta(hours=12), timedelta(hours=2))
_OF_NO_OUTAGE = {System.ENDPOINT, System.OTHER_RUN}  # endpoints have conditions of their own


@dataclass(frozen=True, slots=True)
class Letter:
    title: str
    text: str


def troubles(groups: Iterable[ConditionGroup], now: datetime) -> dict[str, Trouble]:
    """Return what people are told of the open conditions, the most urgent first, by names that stay. Pure."""
    found = {name: _trouble(each, now) for name, each in alike(filter(lambda it: _is_told(it, now), groups)).items()}
    return dict(sorted(found.items(), key=lambda each: -each[1].urgency))


def _is_told(group: ConditionGroup, now: datetime) -> bool:
    if group.code == DerivedCode.PROCESS_MISSING or _urgency(group, now):
        return _urgency(group, now) > 0
    is_outage = group.code != DerivedCode.SYSTEM_AWAY or group.key not in _OF_NO_OUTAGE
    lasts = group.first_at is None or now - group.first_at >= _LASTS
    return group.code != DerivedCode.DISCREPANCY_OPEN and is_outage and lasts


def _urgency(group: ConditionGroup, now: datetime) -> int:
    """Return 1 for damage, and for missing processes how many alerts the first deadline has had."""
    if deadline_at := group.values.get("deadline_at"):
        return sum(deadline_at - before <= now for before in _BEFORE_DEADLINES)
    return int(group.code in _DAMAGE)


def _trouble(groups: list[ConditionGroup], now: datetime) -> Trouble:
    last = [each.last_at for each in groups if each.last_at]
    return Trouble(
        text=condition_text(groups, now),
        count=sum(each.count for each in groups),
        urgency=max(_urgency(each, now) for each in groups),
        last_at=max(last, default=None),
    )


def letter_due(
    told: Mapping[str, Trouble], told_at: datetime | None, found: Mapping[str, Trouble], now: datetime, link: str
) -> Letter | None:
    """Return the letter to an address that is due after what it was told last; None while there is none. Pure."""
    grown = {name: each for name, each in found.items() if name not in told or _has_grown(told[name], each)}
    is_urgent = any(each.urgency > (told[name].urgency if name in told else 0) for name, each in grown.items())
    over = told.keys() - found.keys()
    is_time = told_at is None or now - told_at >= _AN_HOUR
    if not is_urgent and not (is_time and (grown or over)):
        return None
    ended = f"Over: {_named(sorted(over))}."
    lines = [*(each.text for each in grown.values()), *[ended] * bool(over), link]
    return Letter(f"cellar: {_named(grown) or ended}", "\n".join(lines))


def _has_grown(told: Trouble, found: Trouble) -> bool:
    is_later = found.last_at is not None and (told.last_at is None or found.last_at > told.last_at)
    return is_later or found.count > told.count or found.urgency > told.urgency


def _named(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(word(Said(name.partition(" ")[0])) for name in names))


def trial(now: datetime) -> Letter:
    """Return the words of a test. Pure."""
    return Letter("cellar: a test", f"A test of {now:%Y-%m-%d %H:%M} UTC. cellar reaches you here. Nothing to do.")
