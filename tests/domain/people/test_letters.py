"""An address gets a letter an hour at most; damage and deadlines that come near are told at once."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.people.letters import Letter, letter_due, trial, troubles
from models.errors import System
from models.people import Trouble
from models.store.condition import AnyCode, ConditionCode, DerivedCode, Severity, Subject
from models.views.troubles import ConditionGroup

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FAILED = DerivedCode.ARCHIVE_FAILED
LINK = "https://cellar.example/console/"


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


def group(code: AnyCode, key: str = "", number: int = 1, hours: float = 0, **values: Any) -> ConditionGroup:
    of_archive = Subject.ARCHIVE if code == FAILED else Subject.SYSTEM
    kind = Subject.PROCESS if code == DerivedCode.PROCESS_MISSING else of_archive
    its: dict[str, Any] = {"code": code, "kind": kind, "key": key, "subjects": number, "count": number}
    return ConditionGroup(**its, severity=Severity.WRONG, first_at=NOON, last_at=at(hours), values=values)


def told(*groups: ConditionGroup, hours: float = 1) -> dict[str, Trouble]:
    return troubles(groups, at(hours))


def due(before: dict[str, Trouble], found: dict[str, Trouble], hours: float, last: float | None = 0) -> Letter | None:
    return letter_due(before, None if last is None else at(last), found, at(hours), LINK)


def test_letter_has_a_line_of_all_that_is_alike_and_names_it_in_its_title() -> None:
    letter = due(
        {}, told(group(FAILED, "NO_MEMBER", 1200, task="load-metadata"), group(FAILED, "CONFLICT", 2)), 1, None
    )

    assert letter == Letter(
        "cellar: Failed archives",
        "ARCHIVE_FAILED: 1,202 archives: 1,200 NO_MEMBER in load-metadata; 2 CONFLICT; see `cellar failures`\n" + LINK,
    )


def test_what_has_not_grown_is_not_told_again_and_its_end_is() -> None:
    away, failed = group(DerivedCode.SYSTEM_AWAY, System.STORE), group(FAILED, "NO_MEMBER", 5, 1)
    before = told(away, failed)

    assert due(before, before, 9) is None
    assert due(before, told(away, group(FAILED, "NO_MEMBER", 4, 1)), 9) is None
    more = due(before, told(away, group(FAILED, "NO_MEMBER", 5, 2)), 9)  # another one, while one was run again
    assert more
    assert "SYSTEM_AWAY" not in more.text
    assert due(before, told(failed), 9) == Letter(
        "cellar: Over: Runs wait for a system.", f"Over: Runs wait for a system.\n{LINK}"
    )


def test_all_but_damage_and_deadlines_waits_for_an_hour_after_the_last_letter() -> None:
    found = told(group(FAILED, "NO_MEMBER"))

    assert due({}, found, 0.9) is None
    assert due({}, found, 1)
    assert due(found, {}, 0.9) is None
    assert due({}, told(group(ConditionCode.FILE_DAMAGED)) | found, 0.1)


def test_damage_that_grows_waits_for_the_hour() -> None:
    before = told(group(ConditionCode.FILE_DAMAGED))

    assert due(before, told(group(ConditionCode.FILE_DAMAGED, number=2)), 0.9) is None
    assert due(before, told(group(ConditionCode.FILE_DAMAGED, number=2)), 1)


def test_deadline_is_told_at_24_12_and_2_hours() -> None:
    missing = group(DerivedCode.PROCESS_MISSING, "loans", why="submitted", deadline_at=at(48))
    before, came = dict[str, Trouble](), dict[float, str]()
    for half in range(2 * 48):
        found = told(missing, hours=half / 2)
        if letter := due(before, found, half / 2, half / 2 - 0.5):  # the last letter was half an hour ago
            before, came[half / 2] = found, letter.text.partition("; see")[0]

    assert came == {
        hours: f"PROCESS_MISSING: 1 process, loans, submitted, the first with {48 - hours} hours left"
        for hours in (24, 36, 46)
    }


def test_most_urgent_comes_first() -> None:
    found = told(group(FAILED, "NO_MEMBER"), group(ConditionCode.FILE_MISSING))

    assert (letter := due({}, found, 1))
    assert letter.title == "cellar: File missing, Failed archives"


@pytest.mark.parametrize(
    "untold",
    [
        [group(DerivedCode.DISCREPANCY_OPEN)],
        [group(DerivedCode.SYSTEM_AWAY, System.ENDPOINT), group(DerivedCode.SYSTEM_AWAY, System.OTHER_RUN)],
        [group(DerivedCode.PROCESS_MISSING, "loans", why="submitted", deadline_at=at(26))],
    ],
)
def test_what_needs_nobody_or_has_a_list_of_its_own_is_not_told(untold: Iterable[ConditionGroup]) -> None:
    assert told(*untold) == {}


def test_what_ends_within_ten_minutes_is_not_told() -> None:
    away = group(DerivedCode.SYSTEM_AWAY, System.STORE)

    assert told(away, hours=9 / 60) == {}
    assert told(away, hours=10 / 60)


def test_trial_says_that_nothing_is_to_be_done() -> None:
    assert trial(NOON).text == "A test of 2026-01-01 12:00 UTC. cellar reaches you here. Nothing to do."
