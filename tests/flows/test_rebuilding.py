"""The database is made again from the store alone, row for row."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from adapters import store
from adapters.settings import Settings, settings
from adapters.trigger import trigger
from flows.process_archive import process_archive
from flows.rebuilding import check_empty
from flows.verifying import object_of
from models.errors import Conflict, Refused
from models.run import Trigger
from tests.flows.conftest import received
from tests.flows.databases import in_new_database, rows
from tests.samples import sample_body

pytestmark = pytest.mark.usefixtures("prefect")

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(autouse=True)
def _installation(configure: Callable[..., Settings], sqlite_installation: Settings, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_data("")
    httpserver.expect_request("/gone").respond_with_data("", status=410)
    urls = f"{httpserver.url_for('/hook')},{httpserver.url_for('/gone')}"
    configure(notify_urls=urls, notify_secret=SECRET, notify_allow_private="true")


def run(reference: str, body: bytes, at: datetime | None = None) -> str:
    receipt_id = received(reference, body, at).receipt_id
    with suppress(Refused):  # the endpoint that is gone
        asyncio.run(process_archive(reference, receipt_id))
    return receipt_id


def body_at(timestamp: str, **members: Any) -> bytes:
    document = json.loads(sample_body("process-1")) | members
    document["event"] = document["event"] | {"timestamp": timestamp}
    return json.dumps(document).encode()


def test_database_is_equal_row_for_row_to_the_one_that_it_replaces(configure: Callable[..., Settings]) -> None:
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    run("process-1", body_at("2026-03-01T00:00:00Z"), long_ago)
    run("process-1", body_at("2026-05-01T00:00:00Z", data=[]), long_ago + timedelta(days=1))
    run("process-1", body_at("2026-05-02T00:00:00Z", data=[]), long_ago + timedelta(days=2))
    run("process-1", body_at("2026-04-01T00:00:00Z", signatures=[]), long_ago + timedelta(days=3))
    run("process-2", sample_body("process-2", payments=[{"transaction_id": "1", "amount": "x"}]))
    with suppress(Refused):
        asyncio.run(process_archive("process-2"))  # a person's re-run
    again = received("process-2", sample_body("process-2", payments=[{"transaction_id": "1", "amount": "x"}]))
    asyncio.run(trigger(again, Trigger.WEBHOOK))
    before = rows()
    assert all(
        before[name] for name in ("archive", "version", "delivery", "run", "notification_attempt", "discrepancy")
    )

    assert in_new_database(configure) == 2

    after = rows()
    for name, expected in before.items():
        assert after[name] == expected, name


def test_version_whose_history_was_not_kept_has_a_receipt_all_the_same(configure: Callable[..., Settings]) -> None:
    receipt_id = run("process-1", sample_body("process-1"))
    for path in object_of("process-1").sizes:
        if path.startswith("logs/history/"):
            (settings().data_dir / "store" / object_of("process-1").key / path).unlink()

    in_new_database(configure)

    assert [receipt_id in each for each in rows()["receipt"]] == [True]
    assert "completed" in rows()["archive"][0]


def test_database_that_has_archives_is_left_alone() -> None:
    run("process-1", sample_body("process-1"))

    with pytest.raises(Refused):
        check_empty()


def test_damaged_event_is_named(configure: Callable[..., Settings]) -> None:
    run("process-1", sample_body("process-1"))
    stored = object_of("process-1")
    (path, *_) = [path for path in stored.sizes if path.startswith("logs/history/")]
    store.overwrite_bytes(b"{", f"{stored.key}/{path}")

    with pytest.raises(Conflict, match=path):
        in_new_database(configure)
