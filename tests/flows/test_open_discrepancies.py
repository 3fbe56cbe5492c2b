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

from adapters.settings.settings import Settings
from adapters.tables.open_conditions import open_numbers
from flows import import_reports as flow_module
from flows.import_reports import import_reports
from flows.reevaluate_payments import reevaluate_payments
from models.errors import Conflict, Transient
from models.store.condition import DerivedCode
from models.views.archives.payments import Explanation
from services.payments.discrepancies import explain
from services.views import troubles
from tests.conftest import Configure
from tests.installations import archived
from tests.messages import SECRET, message_of
from tests.payments import booked, payment
from tests.samples import sample_body
from tests.settlements import COLUMNS, line, report

pytestmark = pytest.mark.usefixtures("prefect")

AN_HOUR_S = 3600


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


def test_nightly_flow_reports_a_discrepancy_until_it_is_explained(httpserver: HTTPServer) -> None:
    archived("process-1", sample_body())
    long_ago = datetime.now(UTC).date() - timedelta(days=30)
    booked("process-1", payment("process-1", "t", standing="held", paid_on=long_ago))
    asyncio.run(reevaluate_payments())
    (message,) = messages(httpserver)
    (discrepancy,) = message["data"]["discrepancies"]
    assert (discrepancy["reference"], discrepancy["code"], discrepancy["transaction_id"]) == (
        "process-1",
        "AGING_HOLD",
        "t",
    )
    assert "| process-1 | t |" in newest_artifact()

    explain(discrepancy["discrepancy_id"], Explanation(by="Dana", why="a long trip"), datetime.now(UTC))
    asyncio.run(reevaluate_payments())

    assert len(messages(httpserver)) == 1
    assert newest_artifact().startswith("# Open discrepancies: 0")


def test_newest_discrepancies_come_first_and_all_are_counted(tmp_path: Path) -> None:
    for name, cguid in (("b.csv", "c2"), ("a.csv", "c1")):
        put(name, report(line(cguid, amount=f"{cguid[1]}.00")), tmp_path)
        asyncio.run(import_reports())

    (newest,) = troubles.newest_discrepancies(1)
    assert "1.00 ILS" in newest.expected
    assert open_numbers(DerivedCode.DISCREPANCY_OPEN) == {"MISSING_IN_ARCHIVE": 2}


def test_wrong_report_is_named_and_findings_of_other_reports_are_sent(httpserver: HTTPServer, tmp_path: Path) -> None:
    put("a.csv", report(line("of nobody")), tmp_path)
    put("b.csv", report(line("c", amount="x")), tmp_path)

    with pytest.raises(Conflict, match=r"b\.csv"):
        asyncio.run(import_reports())

    assert [each["type"] for each in messages(httpserver)] == ["payments.discrepancies"]


def test_failed_notification_does_not_hide_the_wrong_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def fails() -> None:
        raise Transient("the database does not answer")

    monkeypatch.setattr(flow_module, "report_open_discrepancies", fails)
    put("a.csv", report(line("of nobody")), tmp_path)
    put("b.csv", report(line("c", amount="x")), tmp_path)

    with pytest.raises(Conflict, match=r"b\.csv"):
        asyncio.run(import_reports())
