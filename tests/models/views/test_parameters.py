"""A time is read as people write it, in the zone in which times are shown to them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from models.views.parameters import read_moment

ZONE = ZoneInfo("Asia/Jerusalem")
NOW = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)  # the 25th in the zone


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-24", datetime(2026, 11, 23, 22, tzinfo=UTC)),
        ("2026-07-01", datetime(2026, 6, 30, 21, tzinfo=UTC)),
        ("2026-11-24T10:30", datetime(2026, 11, 24, 8, 30, tzinfo=UTC)),
        ("2026-11-24 10:30", datetime(2026, 11, 24, 8, 30, tzinfo=UTC)),
        ("2026-11-24T10:30Z", datetime(2026, 11, 24, 10, 30, tzinfo=UTC)),
        ("2026-11-24T10:30:00+05:00", datetime(2026, 11, 24, 5, 30, tzinfo=UTC)),
        ("today", datetime(2026, 11, 24, 22, tzinfo=UTC)),
        (" Yesterday ", datetime(2026, 11, 23, 22, tzinfo=UTC)),
        ("7d", datetime(2026, 11, 17, 22, 30, tzinfo=UTC)),
        ("2h", datetime(2026, 11, 24, 20, 30, tzinfo=UTC)),
    ],
)
def test_day_time_and_age_are_understood(text: str, moment: datetime) -> None:
    assert read_moment(text, ZONE, NOW) == moment


@pytest.mark.parametrize(
    "text",
    [
        *("31/02/2026 25:61", "2026-02-30", "0001-01-01", "999999w", "soon", "7", "-7d", "", "tomorrow"),
        *("1712101612345", "1764000000", "0.5", "2026-11-24-10", "2026-11-24110:30"),
    ],
)
def test_other_text_is_refused_with_what_is_understood(text: str) -> None:
    with pytest.raises(ValueError, match=r"2026-11-24, .*yesterday, 7d .* Asia/Jerusalem"):
        read_moment(text, ZONE, NOW)
