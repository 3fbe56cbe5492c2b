"""The overview on both databases: what is open now, what happened by the hour and day, and which indexes it reads."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import SQLModel

from adapters.database.connections import engine
from adapters.database.transactions import reading
from adapters.settings.settings import Settings
from adapters.tables import by_hour
from adapters.tables.runs import receipts
from domain.overview import hours_until
from models.archive.archive import State
from models.completeness.processes import MissingProcessRow
from models.discrepancies import DiscrepancyEventRow, DiscrepancyRow
from models.messages.notification import EndpointRow, NotificationRow
from models.runs.receipt import Cause, Delivery, RefusedRow, RunRow
from models.said import verbatim
from models.views.overview import Counted
from services.views.overview import overview
from tests.conftest import wait_until
from tests.records import digest, put

NOW = datetime.now(UTC).replace(minute=30, second=0, microsecond=0)
HOUR = timedelta(hours=1)


def arrived(name: str, at: datetime) -> str:
    made = Delivery(f"{at:%Y%m%dT%H%M%S}-{name}", digest(name), name, at, 10, {})
    receipts.register_all([made])
    return made.receipt_id


def run(name: str, ended_at: datetime, state: str, cause: str | None = None) -> RunRow:
    return RunRow(
        flow_run_id=name, attempt=1, reference=name, receipt_id=digest(name), trigger="webhook", state=state,
        cause_code=cause, started_at=ended_at, ended_at=ended_at,
    )  # fmt: skip


def message(name: str, state: str, planned_at: datetime, delivered_at: datetime | None = None) -> NotificationRow:
    return NotificationRow(
        message_id=name, reference=name, receipt_id="r", endpoint="https://erp.example", endpoint_name="erp",
        event="archive.completed", state=state, planned_at=planned_at, delivered_at=delivered_at,
    )  # fmt: skip


def missing(name: str, opened_at: datetime, closed_at: datetime | None = None) -> MissingProcessRow:
    return MissingProcessRow(
        missing_id=name, source="default", why="submitted", since=opened_at, deadline_at=NOW + HOUR,
        opened_at=opened_at, closed_at=closed_at,
    )  # fmt: skip


def refusal(name: str, at: datetime, **members: Any) -> RefusedRow:
    plain: dict[str, Any] = {"size_bytes": 1, "code": "NOT_JSON", "where": "", "detail": "no JSON"}
    return RefusedRow(delivery_id=name, receipt_id=digest(name), received_at=at, **(plain | members))


def discrepancy(name: str, state: str, *events: tuple[str, datetime]) -> list[SQLModel]:
    row = DiscrepancyRow(
        discrepancy_id=name, reference="r", code="AMOUNT_MISMATCH", expected="1", found="2", state=state
    )
    its = [
        DiscrepancyEventRow(discrepancy_id=name, number=number, state=each, at=at)
        for number, (each, at) in enumerate(events, 1)
    ]
    return [row, *its]


@pytest.mark.usefixtures("installation")
def test_attention_names_what_needs_a_person_and_nothing_that_goes_on_by_itself() -> None:
    receipts.set_failed(
        arrived("failed", NOW), Cause("CONFLICT", "load-metadata", "Conflict", verbatim("two records")), NOW
    )
    put(refusal("a", NOW), missing("m", NOW), *discrepancy("d", "open", ("open", NOW)), message("p", "pending", NOW))
    put(EndpointRow(name="erp", url="https://erp.example", created_at=NOW, disabled_at=NOW))

    found = overview(NOW)

    assert found.attention.is_needed
    assert list(found.attention.by_code()) == [
        *("ARCHIVE_FAILED", "PROCESS_MISSING", "DELIVERY_REFUSED", "DISCREPANCY_OPEN")
    ]
    assert found.hours[-1].undelivered == 1


@pytest.mark.usefixtures("installation")
def test_hours_count_what_happened_within_them() -> None:
    receipts.set_state(arrived("quick", NOW - 2 * HOUR), State.COMPLETED, NOW - 2 * HOUR + timedelta(seconds=2))
    receipts.set_state(arrived("slow", NOW - 2 * HOUR), State.COMPLETED, NOW - timedelta(seconds=1))
    put(run("a", NOW - HOUR, "Failed", "CONFLICT"), run("b", NOW - HOUR, "Failed"), run("c", NOW, "Completed"))
    put(refusal("r", NOW - HOUR))

    hours = overview(NOW).hours

    assert [each.arrived for each in hours[-3:]] == [2, 0, 0]
    assert [(each.completed, each.p50_s, each.p95_s) for each in hours[-3:]] == [
        (1, 2.0, 2.0),
        (0, None, None),
        (1, 7200.0, 7200.0),
    ]
    assert [each.failed for each in hours[-3:]] == [{}, {"CONFLICT": 1, "UNKNOWN": 1}, {}]
    assert [each.refused for each in hours[-3:]] == [0, 1, 0]


@pytest.mark.usefixtures("installation")
def test_hours_say_what_stood_open_at_their_end() -> None:
    put(*discrepancy("d", "open", ("open", NOW - 2 * HOUR)))
    put(*discrepancy("e", "closed", ("open", NOW - 2 * HOUR), ("explained", NOW - HOUR), ("closed", NOW)))
    put(missing("m", NOW - 2 * HOUR, NOW - HOUR), missing("n", NOW))
    put(message("p", "dead", NOW - 2 * HOUR), message("q", "delivered", NOW - 2 * HOUR, NOW - HOUR))
    put(message("s", "skipped", NOW - HOUR))

    hours = overview(NOW).hours

    assert [each.open_discrepancies for each in hours[-4:]] == [0, 2, 1, 1]
    assert [each.missing for each in hours[-4:]] == [0, 1, 0, 1]
    assert [each.undelivered for each in hours[-4:]] == [0, 2, 1, 1]


@pytest.mark.usefixtures("installation")
def test_days_sum_the_hours_of_a_month() -> None:
    arrived("old", NOW - timedelta(days=10))
    arrived("new", NOW)

    wait_until(lambda: overview(NOW).days is not None, timeout_s=60)
    days = overview(NOW).days

    assert days
    assert (len(days), sum(each.arrived for each in days), days[-1].arrived) == (31, 2, 1)


@pytest.mark.usefixtures("installation")
def test_delivery_that_is_registered_late_counts_in_its_hour() -> None:
    overview(NOW)
    arrived("late", NOW - HOUR)

    assert overview(NOW).hours[-2].arrived == (0 if NOW.minute >= 10 else 1)
    assert overview(NOW + 7 * HOUR).hours[-9].arrived == 1


@pytest.mark.usefixtures("sqlite_installation")
def test_parts_and_queue_are_known() -> None:
    wait_until(lambda: overview(NOW).parts is not None, timeout_s=60)
    found = overview(NOW)

    assert {each.name for each in found.attention.parts} >= {"receiver", "Prefect"}
    assert found.waiting
    assert (found.waiting.receipts, found.waiting.oldest_at) == (0, None)


def test_counts_by_the_hour_read_ranges_of_indexes(sqlite_installation: Settings) -> None:
    assert sqlite_installation
    plans: list[str] = []

    @event.listens_for(engine(), "before_cursor_execute")
    def _explain(connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "hour" in statement:
            driver = connection.connection.driver_connection
            plans.extend(row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

    with reading() as session:
        assert by_hour.first_at(session) is None
        assert all(each == Counted() for each in by_hour.counted(session, hours_until(NOW)).values())

    assert len([each for each in plans if each.startswith("SEARCH")]) == 11
    assert [each for each in plans if each.startswith("SCAN") and "hour" not in each and "CONSTANT" not in each] == []
