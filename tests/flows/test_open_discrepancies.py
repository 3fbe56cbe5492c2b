"""Discrepancies that no run of an archive finds are reported after an import with new findings, and each night."""

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.sorting import ArtifactSort
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook

from adapters.database.transactions import writing
from adapters.settings.settings import Settings
from adapters.tables.open_conditions import open_numbers
from flows import import_reports as flow_module
from flows.import_reports import import_reports
from flows.reevaluate_payments import reevaluate_payments
from models.completeness.processes import SessionEventRow
from models.errors import Conflict, Transient
from models.sources import StatedTerms
from models.store.condition import DerivedCode
from models.views.archives.payments import Explanation
from services import sources
from services.payments import recorded
from services.payments.discrepancies import explain
from services.views import troubles
from tests.conftest import Configure
from tests.installations import archive_of, archived
from tests.messages import SECRET, message_of
from tests.payments import booked, payment, settled
from tests.samples import sample_body
from tests.settlements import COLUMNS, covering, imported, line, report

pytestmark = pytest.mark.usefixtures("prefect")

AN_HOUR_S = 3600
TODAY = datetime.now(UTC).date()


@pytest.fixture(autouse=True)
def _installation(configure: Configure, installation: Settings, httpserver: HTTPServer, tmp_path: Path) -> None:
    httpserver.expect_request("/hook").respond_with_data("")
    (tmp_path / "columns.toml").write_text(COLUMNS)
    (tmp_path / "reports").mkdir()
    configure(
        notify_urls=httpserver.url_for("/hook"),
        notify_secret=SECRET,
        notify_allow_private="true",
        settlement_columns="columns.toml",
        settlements_url="reports",
    )


def put(name: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / "reports" / name).write_bytes(data)
    os.utime(tmp_path / "reports" / name, (time.time() - AN_HOUR_S, time.time() - AN_HOUR_S))


def messages(httpserver: HTTPServer) -> list[dict[str, Any]]:
    """Return the messages to the endpoint, after verifying their signatures."""
    for request, _ in httpserver.log:
        Webhook(SECRET).verify(request.data, dict(request.headers.items()))
    return [message_of(request.data) for request, _ in httpserver.log]


def newest_artifact() -> str:
    async def read() -> str:
        async with get_client() as client:
            found = await client.read_artifacts(
                artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["open-discrepancies"])),
                sort=ArtifactSort.CREATED_DESC,
                limit=1,
            )
        return str(found[0].data)

    return asyncio.run(read())


def test_import_that_opens_a_discrepancy_notifies_once(httpserver: HTTPServer, tmp_path: Path) -> None:
    put("one.csv", report(line("of nobody")), tmp_path)

    for _ in range(2):
        asyncio.run(import_reports())

    (message,) = messages(httpserver)
    (discrepancy,) = message["data"]["discrepancies"]
    assert (message["type"], message["data"]["by_code"]) == ("payments.discrepancies", {"MISSING_IN_ARCHIVE": 1})
    assert (discrepancy["reference"], discrepancy["code"], discrepancy["found"]) == (None, "MISSING_IN_ARCHIVE", "none")
    assert "21.00 ILS" in discrepancy["expected"]
    assert discrepancy["sentence"].startswith("The provider has settled a payment that no archive has.")
    assert "The provider has settled a payment that no archive has" in newest_artifact()


def test_newest_discrepancies_come_first_and_all_are_counted(tmp_path: Path) -> None:
    for name, cguid in (("b.csv", "c2"), ("a.csv", "c1")):
        put(name, report(line(cguid, amount=f"{cguid[1]}.00")), tmp_path)
        asyncio.run(import_reports())

    (newest,) = troubles.newest_discrepancies(1)
    assert "1.00 ILS" in newest.expected
    assert open_numbers(DerivedCode.DISCREPANCY_OPEN) == {"MISSING_IN_ARCHIVE": 2}


@pytest.mark.parametrize("database_is_away", [False, True])
def test_wrong_report_is_named_and_findings_of_other_reports_are_sent(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, database_is_away: bool
) -> None:
    async def fails() -> None:
        raise Transient("the database does not answer")

    if database_is_away:
        monkeypatch.setattr(flow_module, "report_open_discrepancies", fails)
    put("a.csv", report(line("of nobody")), tmp_path)
    put("b.csv", report(line("c", amount="x")), tmp_path)

    with pytest.raises(Conflict, match=r"b\.csv"):
        asyncio.run(import_reports())

    assert [each["type"] for each in messages(httpserver)] == ["payments.discrepancies"] * (not database_is_away)


def nightly() -> None:
    asyncio.run(reevaluate_payments())


def held(days: int, transaction_id: str = "t", position: int = 0) -> dict[str, Any]:
    """Return a payment that is on hold since some days."""
    return payment("held", transaction_id, position, standing="held", paid_on=TODAY - timedelta(days=days))


def test_nightly_flow_judges_what_time_changes_and_reports_it_until_it_is_explained(
    configure: Configure, httpserver: HTTPServer
) -> None:
    late = TODAY - timedelta(days=10)
    for reference in ("held", "late", "twice-1", "twice-2"):
        archived(reference, sample_body(reference))
    booked("held", held(8), held(7, "u", 1))
    booked("late", payment("late", "v", paid_on=late))
    imported(report(*covering(late, late)), now=datetime.now(UTC) - timedelta(days=8))
    explained = {"by": "Dana", "why": "of another shop"}
    for discrepancy_id in recorded.not_closed_by_id(None):
        explain(discrepancy_id, Explanation(**explained), datetime.now(UTC))
    for reference in ("twice-1", "twice-2"):  # as if the run of one was killed after it was loaded
        booked(reference, payment(reference, "w"))

    nightly()

    (message,) = messages(httpserver)
    found = {each["reference"]: (each["code"], each["transaction_id"]) for each in message["data"]["discrepancies"]}
    assert found == {
        "held": ("AGING_HOLD", "t"),
        "late": ("MISSING_IN_SETTLEMENT", "v"),
        "twice-1": ("DUPLICATE_TRANSACTION", "w"),
        "twice-2": ("DUPLICATE_TRANSACTION", "w"),
    }
    assert "| held | t |" in newest_artifact()

    for each in message["data"]["discrepancies"]:
        explain(each["discrepancy_id"], Explanation(**explained), datetime.now(UTC))
    booked("held", held(8))
    nightly()
    assert len(messages(httpserver)) == 1
    assert newest_artifact().startswith("# Open discrepancies: 0")
    assert [each.state for each in archive_of("held").discrepancies] == ["explained"]

    settled(str(held(8)["payment_id"]), 2100, TODAY)
    nightly()
    assert archive_of("held").discrepancies == []
    configure(hold_days=30)
    booked("held", held(29) | {"payment_id": "another"})
    nightly()
    assert archive_of("held").discrepancies == []


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
def test_clock_that_is_wrong_by_a_zone_is_one_warning_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    now = datetime.now(UTC)
    sources.add("loans", StatedTerms(), "Dana", now)
    with writing() as session:
        for number in range(5):
            received_at = now - timedelta(hours=number)
            event_at = received_at + timedelta(hours=5, minutes=30)
            made: dict[str, Any] = {
                "event_id": str(number),
                "source": "loans",
                "type": "WHEF_SESSION_CREATED",
                "is_known": True,
            }
            session.add(SessionEventRow(**made, event_at=event_at, received_at=received_at))

    nightly()

    (warning,) = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert "source loans: 5 of 5" in warning
    assert "--timezone Asia/Kolkata" in warning
