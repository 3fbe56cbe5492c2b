"""Says which letters people must get in a fortnight, by title, from the plan and the rules of `docs/people.md`. Pure.

Two moments are drawn by cellar and not by the plan, since pauses between attempts have a random part: when the endpoint
that was down is tried again, and when the hostile endpoint is given up. They are arguments.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.fortnight.expected import Expected, ExpectedFinding
from tests.fortnight.plan import LOOKS_AFTER, ROUNDS_EACH, Fortnight, round_after, rounds

TRIED_FOR = timedelta(hours=75)
LONGEST_PAUSE = timedelta(hours=4) * 1.2 + ROUNDS_EACH
"""Between two attempts at an endpoint that fails: the last pause, its random part, and the wait for a round."""
_NEVER = datetime.min.replace(tzinfo=UTC)
_ALERTS = (timedelta(hours=24), timedelta(hours=12), timedelta(hours=2))


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The endpoints that fail, by name, and the rounds in which one recovered and the other was disabled."""

    down: str
    recovered_at: datetime
    hostile: str
    disabled_at: datetime


@dataclass(frozen=True, slots=True)
class _Sight:
    """What people may be told of: how much, how urgent, and the newest part of it."""

    count: int
    level: int = 0
    newest: datetime = _NEVER


def planned(fortnight: Fortnight, counted: Expected) -> Counter[datetime]:
    """Return the number of events in each round."""
    found = Counter(round_after(each.archive_at) for each in fortnight.processes if each.archive_at)
    for finding in counted.findings:
        found.update([finding.opened_at, *(at for _, at in finding.alerts)])
    return found


def given_up(events: Counter[datetime], at: datetime) -> int:
    """Return the number of messages to an endpoint that never confirms which are dead in a round."""
    return sum(count for round_, count in events.items() if round_ + TRIED_FOR < at)


def letters(fortnight: Fortnight, counted: Expected, endpoints: Endpoints) -> Counter[str]:
    """Return the titles of all letters, with the number of letters of each."""
    events, looks = planned(fortnight, counted), list(rounds(until=fortnight.until))
    down, hostile, disabled_at = endpoints.down, endpoints.hostile, endpoints.disabled_at
    found = Counter({f"cellar: endpoint {hostile} is disabled": 1})
    found.update(_of_outage(down, _pending(events, looks, fortnight.down_from, endpoints.recovered_at)))
    found.update(_of_outage(hostile, _pending(events, looks, looks[0], disabled_at)))
    dead = ((at, given_up(events, min(at, disabled_at))) for at in looks)
    found.update(
        _titles(
            ((at, _Sight(count) if count else None) for at, count in dead),
            lambda count: f"cellar: {_number(count, 'message')} to {hostile} {_is(count)} given up",
            "",
            _doubled,
        )
    )
    for source in {each.source for each in counted.findings}:
        found.update(_of_missing(source, [each for each in counted.findings if each.source == source], looks))
    return found


def _pending(
    events: Counter[datetime], looks: Iterable[datetime], since: datetime, until: datetime
) -> Iterator[tuple[datetime, int]]:
    """Yield how many messages wait in each round, from half an hour after the first failure to the end of an outage."""
    theirs = Counter({at: count for at, count in events.items() if at >= since})
    first = min(theirs)
    for at in looks:
        waiting = sum(count for round_, count in theirs.items() if round_ <= at) - given_up(theirs, at)
        yield at, waiting if first + ROUNDS_EACH <= at < until else 0


def _of_outage(name: str, pending: Iterable[tuple[datetime, int]]) -> Iterator[str]:
    return _titles(
        ((at, _Sight(count) if count else None) for at, count in pending),
        lambda _: f"cellar: endpoint {name} does not confirm",
        f"cellar: endpoint {name} is no longer failing",
        _doubled,
    )


def _of_missing(source: str, findings: list[ExpectedFinding], looks: Iterable[datetime]) -> Iterator[str]:
    return _titles(
        ((at, _missing(findings, at)) for at in looks),
        lambda count: f"cellar: {_number(count, 'process', 'processes')} {_is(count)} missing",
        f"cellar: no process is missing any longer ({source})",
        lambda _: timedelta(hours=1),
    )


def _missing(findings: Iterable[ExpectedFinding], at: datetime) -> _Sight | None:
    """Return the processes of a source that are deleted within 24 hours. The first of them says how urgent it is."""
    now = at + LOOKS_AFTER
    found = [each.deadline_at for each in findings if each.opened_at <= at < each.closed_at]
    soon = [each for each in found if each - _ALERTS[0] <= now]
    if not soon:
        return None
    alerts = [each - before for each in soon for before in _ALERTS if each - before <= now]
    return _Sight(len(soon), sum(min(soon) - before <= now for before in _ALERTS), max(alerts))


def _titles(
    looks: Iterable[tuple[datetime, _Sight | None]],
    title: Callable[[int], str],
    over: str,
    pause: Callable[[int], timedelta],
) -> Iterator[str]:
    """Yield a title when something begins, when it is more urgent, when it has grown after a pause, and at its end."""
    told, told_at, times, newest = _Sight(0), _NEVER, 0, _NEVER
    for at, seen in looks:
        newest = max(newest, seen.newest) if seen else _NEVER
        if not seen:
            yield from [over] * bool(times)
            times = 0
        elif (
            not times
            or seen.level > told.level
            or ((seen.count > told.count or newest > told.newest) and at - told_at >= pause(times))
        ):
            yield title(seen.count)
            told, told_at, times = _Sight(seen.count, seen.level, newest), at, times + 1


def _doubled(times: int) -> timedelta:
    pause: timedelta = timedelta(hours=3) * 2 ** min(times - 1, 3)
    return pause


def _number(count: int, one: str, many: str = "") -> str:
    return f"1 {one}" if count == 1 else f"{count:,} {many or one + 's'}"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
