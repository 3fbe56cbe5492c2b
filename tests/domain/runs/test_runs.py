"""Causes of failed runs, and the pauses and words of runs that wait."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.runs import age_text, cause_of, next_try, system_of, waits_text
from models.errors import Conflict, Locked, Refused, System, Transient, Unreadable, Unusable

SECRET = "4580-1234"

CASES = [
    (Refused("NOT_BASE64", "expected base64", where="attachments[0]"), "NOT_BASE64", None),
    (Transient("the bucket does not write k: SlowDown", system=System.STORE), "STORE_AWAY", System.STORE),
    (Transient("the database does not answer", system=System.DATABASE), "DATABASE_AWAY", System.DATABASE),
    (Transient("the examination was killed"), "INTERRUPTED", System.OTHER_RUN),
    (Unreadable("archives/k", "EIO"), "STORE_UNREADABLE", System.STORE),
    (Unusable("run `cellar migrate`"), "DATABASE_UNUSABLE", System.DATABASE),
    (Locked("the key k is gone"), "KEY_AWAY", System.KEY),
    (Conflict("the archive is damaged"), "CONFLICT", None),
    (Conflict("expected 3 rows", code="NOT_READ_BACK"), "NOT_READ_BACK", None),
    (KeyError(SECRET), "UNEXPECTED", None),
]


@pytest.mark.parametrize(("error", "code", "system"), CASES, ids=lambda each: str(each)[:30])
def test_failure_has_a_code_and_says_whether_it_heals(error: Exception, code: str, system: System | None) -> None:
    cause = cause_of(error, "persist-files")

    assert (cause.code, cause.task, cause.error_class) == (code, "persist-files", type(error).__name__)
    assert system_of(error) is system
    assert str(cause).startswith(f"{code} in persist-files: ")


def test_unexpected_error_shows_its_class_and_not_its_message() -> None:
    assert SECRET not in str(cause_of(KeyError(SECRET), None))
    assert "KeyError" in str(cause_of(KeyError(SECRET), None))


def test_failures_of_different_archives_in_one_store_have_the_same_sentence() -> None:
    errors = [Unreadable(f"archives/{name}", "EIO") for name in "ab"]

    assert len({cause_of(each, "load-metadata").sentence for each in errors}) == 1


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def _pause_s(attempts: int) -> float | None:
    found = next_try(NOON, attempts, NOON)
    return (found - NOON).total_seconds() if found else None


def test_pauses_double_from_ten_seconds_to_fifteen_minutes() -> None:
    assert [_pause_s(attempts) for attempts in range(1, 10)] == [10, 20, 40, 80, 160, 320, 640, 900, 900]


def test_run_that_has_waited_for_three_days_needs_a_person() -> None:
    assert next_try(NOON, 300, NOON + timedelta(days=3, seconds=-1))
    assert next_try(NOON, 300, NOON + timedelta(days=3)) is None


@given(st.integers(1, 10_000), st.timedeltas(timedelta(0), timedelta(days=3, microseconds=-1)))
def test_waiting_run_is_tried_again_within_a_quarter_of_an_hour(attempts: int, waited: timedelta) -> None:
    now = NOON + waited
    due_at = next_try(NOON, attempts, now)

    assert due_at
    assert timedelta(seconds=10) <= due_at - now <= timedelta(minutes=15)


LATER = NOON + timedelta(minutes=3)


@pytest.mark.parametrize(
    ("system", "archives", "line"),
    [
        (
            System.STORE,
            12,
            "12 archives wait for the store since 2026-01-01 12:00 UTC (3 min); see `cellar status`",
        ),
        (
            System.CLAMAV,
            1,
            "1 archive waits for ClamAV since 2026-01-01 12:00 UTC (3 min); see `cellar status`",
        ),
        (
            System.OTHER_RUN,
            2,
            "2 archives wait for another run of the same process since 2026-01-01 12:00 UTC (3 min); nothing to do",
        ),
        (
            System.KEY,
            2,
            "2 archives wait for the key of sealed values since 2026-01-01 12:00 UTC (3 min); bring the key back in "
            "`secrets/seal`, CELLAR_SEAL_KEYS or `keys/` of the store",
        ),
    ],
)
def test_line_says_what_waits_and_what_to_do(system: System, archives: int, line: str) -> None:
    assert waits_text(system, archives, NOON, LATER) == line


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (400_000, "4 days")]
)
def test_age_is_in_its_largest_unit_of_which_there_are_two(seconds: int, text: str) -> None:
    assert age_text(timedelta(seconds=seconds)) == text
