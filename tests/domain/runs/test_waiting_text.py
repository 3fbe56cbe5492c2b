"""The line about archives that wait: how many, for what, since when, and what to do."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.runs import age_text, waits_text
from models.errors import System

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=3)


@pytest.mark.parametrize(
    ("system", "archives", "line"),
    [
        (
            System.STORE,
            12,
            "12 archives wait for the store since 2026-01-01 12:00 UTC (3 min); see `cellar doctor`",
        ),
        (
            System.CLAMAV,
            1,
            "1 archive waits for ClamAV since 2026-01-01 12:00 UTC (3 min); see `cellar doctor`",
        ),
        (
            System.OTHER_RUN,
            2,
            "2 archives wait for another run of the same process since 2026-01-01 12:00 UTC (3 min); nothing to do",
        ),
        (
            System.KEY,
            2,
            "2 archives wait for the key since 2026-01-01 12:00 UTC (3 min); bring the key back in `secrets/seal`, "
            "CELLAR_SEAL_KEYS or `keys/` of the store",
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
