"""A fortnight is the same for the same seed, and what is expected of it follows from the rules."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from models.completeness.processes import SessionEventType as Type
from tests.fortnight.expected import ExpectedFinding, expected
from tests.fortnight.plan import (
    BEGIN,
    ROUNDS_EACH,
    Fate,
    Fortnight,
    PlannedEvent,
    PlannedProcess,
    Victim,
    drawn,
)

ALERTS = {
    Fate.LATE: 0, Fate.LATE_AFTER_24: 1, Fate.LATE_AFTER_12: 2, Fate.LATE_AFTER_2: 3,
    Fate.LOST: 3, Fate.EXPIRED: 3, Fate.DELETED: 3,
}  # fmt: skip


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def fortnight(*processes: PlannedProcess) -> Fortnight:
    return Fortnight(processes, (), BEGIN, BEGIN)


def test_same_seed_is_the_same_fortnight_and_another_seed_another() -> None:
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_fortnight_has_2000_processes_and_ten_kills_of_each_program() -> None:
    made = drawn(7)

    assert len(made.processes) == 2000
    assert Counter(each.victim for each in made.kills) == {Victim.WORKER: 10, Victim.RECEIVER: 10}
    assert Counter(each.fate for each in made.processes)[Fate.LOST] == 30
    assert (made.down_from, made.down_until) == (at(6, 18), at(9, 8))


@pytest.mark.parametrize("seed", range(5))
def test_everything_is_over_before_the_end_and_nothing_happens_close_to_a_round(seed: int) -> None:
    made = drawn(seed)
    arrivals = [moment for each in made.processes for event in each.events for moment in event.arrives_at]
    arrivals += [each.archive_at for each in made.processes if each.archive_at]

    assert max(arrivals) < made.end
    assert max(each.closed_at for each in expected(made).findings) <= made.end
    into = [(each - BEGIN) % ROUNDS_EACH for each in arrivals]
    assert timedelta(minutes=2) <= min(into)
    assert max(into) <= ROUNDS_EACH - timedelta(minutes=2)


def test_events_overtake_each_other_and_some_come_twice() -> None:
    processes = drawn(3).processes
    orders = [[event.arrives_at[0] for event in each.events] for each in processes]

    assert sum(order != sorted(order) for order in orders) > 100
    assert sum(len(event.arrives_at) == 2 for each in processes for event in each.events) > 100


@pytest.mark.parametrize("seed", range(5))
def test_each_fate_has_its_alerts(seed: int) -> None:
    made = drawn(seed)
    found = {each.reference: each for each in expected(made).findings}

    alerts = {each.fate: len(found[each.reference].alerts) for each in made.processes if each.reference in found}
    assert alerts == ALERTS
    assert all((each.reference in found) == (each.fate in ALERTS) for each in made.processes)


def test_submission_that_is_never_archived() -> None:
    submitted = PlannedEvent(Type.FORM_SUBMITTED, at(2, 10, 10), (at(2, 10, 12),))
    process = PlannedProcess(1, "loans", Fate.LOST, (submitted,), at(2, 10, 10), None)

    found = expected(fortnight(process))

    assert found.findings == (
        ExpectedFinding(
            "process-00001", "loans", "submitted", at(2, 11, 30), at(4, 10, 10), at(4, 10, 30), "deleted",
            ((24, at(3, 10, 30)), (12, at(3, 22, 30)), (2, at(4, 8, 30))),
        ),
    )  # fmt: skip
    assert (found.archives, found.session_events) == (frozenset(), 1)
    assert found.events == {"archive.completed": 0, "process.missing": 4}


def test_archive_that_comes_between_two_alerts() -> None:
    submitted = PlannedEvent(Type.FORM_SUBMITTED, at(2, 10, 10), (at(2, 10, 12), at(2, 10, 14)))
    process = PlannedProcess(2, "default", Fate.LATE_AFTER_24, (submitted,), at(2, 10, 10), at(3, 12, 10))

    found = expected(fortnight(process))

    (finding,) = found.findings
    assert (finding.closed_at, finding.closed_why) == (at(3, 12, 30), "archived")
    assert finding.alerts == ((24, at(3, 10, 30)),)
    assert found.events == {"archive.completed": 1, "process.missing": 2}
    assert found.session_events == 1
