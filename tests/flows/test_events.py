"""The flow announces what has become of an archive: each event once, whatever is repeated, and in the shape of its
schema.
"""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State
from pytest_httpserver import HTTPServer
from sqlmodel import col, select

from adapters.database.transactions import writing
from adapters.files.store import store
from adapters.settings.settings import Settings, settings
from adapters.store import ocfl
from adapters.store.ocfl import SKELETON
from adapters.tables.runs import runs
from flows.process_archive import process_archive
from flows.sweep_inbox import sweep_inbox
from models.archive.archive import State as ArchiveState
from models.messages.notification import EndpointRow, EventRow
from models.runs.receipt import Cause, RunState
from models.said import verbatim
from models.views.messages import NewEndpoint
from services.messages import endpoints
from tests.conftest import Configure
from tests.flows.conftest import received, store_away
from tests.installations import inventory_of
from tests.messages import SECRET, message_of
from tests.records import all_of, run_row
from tests.samples import sample_body, sample_document

pytestmark = pytest.mark.usefixtures("prefect", "installation")

DEAR = [sample_document()["payments"][0] | {"amount": 2500}]


@pytest.fixture(autouse=True)
def _endpoint(configure: Configure, installation: Settings, httpserver: HTTPServer) -> None:
    """An endpoint that people added, which has no filter, and confirms each message."""
    httpserver.expect_request("/hook").respond_with_data("")
    configure(notify_allow_private="true")
    asked = NewEndpoint(name="erp", url=httpserver.url_for("/hook"), secret=SECRET)
    endpoints.add(asked, "dana@desk", datetime.now(UTC))


def archive(reference: str = "process-1", receipt_id: str | None = None) -> None:
    async def run() -> State[Any]:
        return await process_archive(reference, receipt_id, return_state=True)

    asyncio.run(run())


def announced() -> list[tuple[str, dict[str, Any]]]:
    """Return the data of the events, oldest first, each held against its schema."""
    rows = all_of(select(EventRow).order_by(col(EventRow.at), col(EventRow.type)))
    return [(each.type, message_of(each.body)["data"]) for each in rows]


def sent(httpserver: HTTPServer) -> list[str]:
    """Return the types of the messages that the endpoint received, each message_of against its schema."""
    return [message_of(request.data)["type"] for request, _ in httpserver.log]


def test_changed_archive_is_announced_in_numbers_and_once(httpserver: HTTPServer) -> None:
    first = received("process-1", sample_body())
    archive(receipt_id=first.receipt_id)
    second = received("process-1", sample_body(payments=DEAR))

    archive(receipt_id=second.receipt_id)
    archive(receipt_id=second.receipt_id)

    assert sorted(sent(httpserver)) == [
        "archive.attention",
        "archive.changed",
        "archive.completed",
        "archive.completed",
    ]
    data = dict(announced())
    changed, attention = data["archive.changed"], data["archive.attention"]
    assert (changed["version"], changed["before_version"]) == (2, 1)
    assert (changed["receipt_id"], changed["before_receipt_id"]) == (second.receipt_id, first.receipt_id)
    assert changed["changes"] == {"payment": {"added": 0, "removed": 0, "changed": 1}}
    assert changed["discrepancies_by_code"] == attention["discrepancies_by_code"] == {"AMOUNT_MISMATCH": 1}
    assert "2500" not in json.dumps(changed)


def test_version_after_a_damaged_one_is_announced_without_its_changes() -> None:
    first = received("process-1", sample_body())
    archive(receipt_id=first.receipt_id)
    found = inventory_of("process-1")
    keys = [ocfl.content_key("process-1", found, each) for each in found.manifest]
    store().overwrite_bytes(b"damaged", next(each for each in keys if each.endswith(SKELETON)))
    second = received("process-1", sample_body(payments=DEAR))

    archive(receipt_id=second.receipt_id)

    assert dict(announced())["archive.changed"]["changes"] is None


def test_endpoint_of_the_settings_hears_of_a_version_once(configure: Configure, httpserver: HTTPServer) -> None:
    with writing() as session:
        session.get_one(EndpointRow, "erp").removed_at = datetime.now(UTC)
    configure(notify_urls=httpserver.url_for("/hook"), notify_secret=SECRET)
    received("process-1", sample_body(payments=DEAR))

    archive()

    assert sent(httpserver) == ["archive.completed"]


def test_failure_is_announced_once_and_again_when_the_archive_fails_again() -> None:
    delivery = received("process-1", sample_body())
    path = Path(settings().inbox_location) / "waiting" / f"{delivery.receipt_id}.body"
    path.write_bytes(path.read_bytes().replace(b"SOMEVALUE1", b"SOMEVALUEX"))

    archive()
    asyncio.run(sweep_inbox())
    archive()

    (first, told), (second, _) = announced()
    assert (first, second) == ("archive.failed", "archive.failed")
    assert (told["receipt_id"], told["task"]) == (delivery.receipt_id, "persist-files")
    assert told["code"]
    assert told["flow_run_id"]


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
def test_run_that_waits_is_no_failure() -> None:
    received("process-1", sample_body())

    with store_away():
        archive()

    assert announced() == []


def test_sweep_announces_the_failure_of_a_worker_that_was_killed_before_it_said_so() -> None:
    delivery = received("process-1", sample_body())
    now = datetime.now(UTC)
    run = run_row("killed", delivery.receipt_id, reference="process-1", started_at=now)  # fmt: skip
    runs.begin(run)
    runs.end(
        "killed",
        1,
        RunState.FAILED,
        ArchiveState.FAILED,
        now,
        Cause("SPOILED", "persist-files", "Refused", verbatim("why")),
    )

    asyncio.run(sweep_inbox())
    asyncio.run(sweep_inbox())

    ((name, told),) = announced()
    assert (name, told["code"], told["task"], told["flow_run_id"]) == (
        "archive.failed", "SPOILED", "persist-files", "killed",
    )  # fmt: skip
