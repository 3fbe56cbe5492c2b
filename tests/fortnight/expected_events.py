"""Says which events must be announced in a fortnight, and how many messages about them are given up. Pure.

Two moments are drawn by cellar and not by the plan, since pauses between attempts have a random part: when the endpoint
that was down is tried again, and when the hostile endpoint is given up. They are arguments.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.fortnight.expected import Expected
from tests.fortnight.plan import ROUNDS_EACH, Fortnight, round_after

TRIED_FOR = timedelta(hours=75)
LONGEST_PAUSE = timedelta(hours=4) * 1.2 + ROUNDS_EACH
"""Between two attempts at an endpoint that fails: the last pause, its random part, and the wait for a round."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The endpoints that fail, by name, and the rounds in which one recovered and the other was disabled."""

    down: str
    recovered_at: datetime
    hostile: str
    disabled_at: datetime


def planned(fortnight: Fortnight, counted: Expected) -> Counter[datetime]:
    """Return the number of events in each round."""
    found = Counter(round_after(each.archive_at) for each in fortnight.processes if each.archive_at)
    for finding in counted.findings:
        found.update([finding.opened_at, *(at for _, at in finding.alerts)])
    return found


def given_up(events: Counter[datetime], at: datetime) -> int:
    """Return the number of messages to an endpoint that never confirms which are dead in a round."""
    return sum(count for round_, count in events.items() if round_ + TRIED_FOR < at)
