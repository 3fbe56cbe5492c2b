"""A source whose times are of another zone is warned about, with the setting that cures it."""

from datetime import timedelta

import pytest

from adapters.database.transactions import writing
from adapters.tables.runs import receipts
from models.completeness.processes import SessionEventRow
from models.sources import StatedTerms
from models.views.health import Grade
from services import sources
from services.sources import clock_warning, clock_warnings
from tests.installations import check
from tests.records import NOON, archived, delivery, digest, document

pytestmark = pytest.mark.usefixtures("installation")


def arrive(count: int, hours: float) -> None:
    """Archives come each half hour, and state a time that many hours later."""
    for number in range(count):
        at = NOON + timedelta(minutes=30 * number, hours=hours)
        payload = document(f"r{number}") | {"event": {"type": "WHP_ARCHIVE", "timestamp": f"{at:%Y-%m-%dT%H:%M:%S}"}}
        archived(f"r{number}", minute=30 * number, payload=payload)


def test_archives_that_come_before_their_event_are_a_warning() -> None:
    arrive(5, 2)
    assert clock_warnings(NOON + timedelta(days=30)) == []  # archives of last month say nothing of today
    (found,) = clock_warnings(NOON + timedelta(days=1))
    assert (found.source, found.fault.better_zone, found.fault.ahead_s) == ("default", "Asia/Jerusalem", 7200)
    assert found.found == (
        "source default: 5 of 5 recent arrivals came about 2 h before the time that they state; expected them within "
        "minutes after it, as times of Asia/Jerusalem, not of UTC"
    )
    assert found.to_do == "set CELLAR_TIMEZONE=Asia/Jerusalem, then run the archives since again; see docs/reconcile.md"


def test_session_events_of_a_source_are_a_warning_with_its_own_command() -> None:
    sources.add("loans", StatedTerms(), "dana@desk", NOON)
    with writing() as session:
        for number in range(10):
            received_at = NOON + timedelta(hours=number)
            session.add(
                SessionEventRow(
                    event_id=digest(str(number)),
                    source="loans",
                    type="WHEF_SESSION_CREATED",
                    is_known=True,
                    event_at=received_at - timedelta(hours=3, seconds=4),
                    received_at=received_at,
                )
            )
    (found,) = clock_warnings(NOON + timedelta(days=1))
    assert "source loans: 10 of 10 recent arrivals came about 3 h after" in found.found
    assert found.to_do.startswith("run `cellar sources set loans --timezone Etc/GMT+3`, then")
    assert clock_warning("default", NOON + timedelta(days=1)) is None


def test_archives_that_come_at_once_are_no_warning() -> None:
    assert check("time zones").verdict is Grade.OK  # without arrivals too
    arrive(20, 0)
    assert clock_warnings(NOON + timedelta(days=1)) == []


def test_archive_that_came_several_times_does_not_count() -> None:
    """A later delivery gives an unchanged version a later time, and that after whole hours."""
    arrive(3, 2)
    receipts.register_all([delivery("r0", "again", minute=120)])
    assert clock_warnings(NOON + timedelta(days=1)) == []
