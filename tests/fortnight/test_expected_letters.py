"""What people are told of a fortnight follows from the rules: literal plans, literal letters."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from models.completeness.processes import SessionEventType as Type
from tests.fortnight.expected import Expected, expected
from tests.fortnight.expected_letters import Endpoints, given_up, letters, planned
from tests.fortnight.plan import BEGIN, Fate, Fortnight, PlannedEvent, PlannedProcess

FRIDAY, MONDAY = BEGIN + timedelta(days=4, hours=18), BEGIN + timedelta(days=7, hours=8)
ENDPOINTS = Endpoints("down", MONDAY + timedelta(hours=1), "hostile", BEGIN + timedelta(hours=86))


def process(number: int, submitted: datetime, archive_at: datetime | None, source: str = "loans") -> PlannedProcess:
    event = PlannedEvent(Type.FORM_SUBMITTED, submitted, (submitted + timedelta(minutes=1),))
    fate = Fate.LATE if archive_at is None or archive_at - submitted > timedelta(hours=1) else Fate.PROMPT
    return PlannedProcess(number, source, fate, (event,), submitted, archive_at)


def told(*processes: PlannedProcess) -> tuple[Counter[str], Expected]:
    plan = Fortnight(processes, (), FRIDAY, MONDAY)
    counted = expected(plan)
    return letters(plan, counted, ENDPOINTS), counted


def prompt(number: int, at: datetime) -> PlannedProcess:
    return process(number, at, at + timedelta(minutes=20))


def at(day: int, hour: int, minute: int = 10) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def test_two_outages_begin_once_grow_rarely_and_end_once() -> None:
    # The hostile endpoint fails from 2 March 10:30. Its letters: 11:00, 14:00, 20:00; it never grows afterwards.
    # The other fails from 6 March 20:30, and has grown 3 hours after its first letter, and 6 hours after that.
    monday = [prompt(number, at(2, hour)) for number, hour in enumerate((10, 13, 19))]
    friday = [prompt(number, at(6, hour)) for number, hour in enumerate((20, 22), 10)]
    found, _ = told(*monday, *friday, prompt(20, at(7, 5)))

    assert found == {
        "cellar: endpoint hostile does not confirm": 3,
        "cellar: endpoint hostile is no longer failing": 1,
        "cellar: endpoint hostile is disabled": 1,
        "cellar: 1 message to hostile is given up": 1,
        "cellar: endpoint down does not confirm": 3,
        "cellar: endpoint down is no longer failing": 1,
    }


def test_lost_process_is_told_at_24_12_and_2_hours_and_when_it_is_deleted() -> None:
    found, counted = told(process(1, at(9, 10), None), prompt(2, at(6, 20)))

    assert [len(each.alerts) for each in counted.findings] == [3]
    assert found["cellar: 1 process is missing"] == 3
    assert found["cellar: no process is missing any longer (loans)"] == 1


def test_process_that_comes_within_24_hours_is_told_an_hour_after_the_last_letter() -> None:
    # The first is told at 10:30 and 22:30, and archived at 23:10. The second comes within 24 hours at 11:00.
    first, second = process(1, at(9, 10), at(10, 23)), process(2, at(9, 10, 40), at(10, 23))
    found, _ = told(first, second, prompt(3, at(6, 20)))

    assert found["cellar: 1 process is missing"] == 1
    # At 11:30, 22:30 for the first, and at 23:30 the second comes within 12 hours.
    assert found["cellar: 2 processes are missing"] == 2
    assert found["cellar: no process is missing any longer (loans)"] == 1


def test_sources_are_told_apart() -> None:
    lost = [process(1, at(9, 10), None, "loans"), process(2, at(9, 10), None, "default")]
    found, _ = told(*lost, prompt(3, at(6, 20)))

    assert found["cellar: 1 process is missing"] == 6
    assert found["cellar: no process is missing any longer (default)"] == 1


def test_events_of_a_round_and_messages_that_are_given_up() -> None:
    plan = Fortnight((prompt(1, at(2, 10)), process(2, at(2, 10), None)), (), FRIDAY, MONDAY)
    events = planned(plan, expected(plan))

    assert events == {
        at(2, 10, 30): 1, at(2, 11, 30): 1, at(3, 10, 30): 1, at(3, 22, 30): 1, at(4, 8, 30): 1,
    }  # fmt: skip
    assert [given_up(events, at(5, hour, minute)) for hour, minute in ((13, 30), (14, 0), (15, 0))] == [0, 1, 2]
