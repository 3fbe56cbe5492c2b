"""Receipts that have failed for good are rebuilt with the messages about it."""

import asyncio
from datetime import UTC, datetime

import pytest
from pytest_httpserver import HTTPServer

from adapters.inbox import inbox
from adapters.settings.settings import Settings
from flows.process_archive import process_archive
from models.errors import Refused
from services.messages.events import announce_failures
from tests.conftest import Configure
from tests.flows.conftest import received
from tests.flows.databases import in_new_database, rows
from tests.messages import notify
from tests.samples import sample_body
from tests.services.custody.test_rebuilding import body_at, run

pytestmark = pytest.mark.usefixtures("prefect")


@pytest.fixture(autouse=True)
def _installation(configure: Configure, sqlite_installation: Settings, httpserver: HTTPServer) -> None:
    notify(configure, httpserver)


def fail(reference: str, body: bytes, at: datetime | None = None) -> None:
    """Let a receipt fail for good: its body is lost."""
    failed = received(reference, body, at)
    inbox.remove([], failed.receipt_id)
    with pytest.raises(Refused):
        asyncio.run(process_archive(reference, failed.receipt_id))


def test_receipt_that_failed_before_the_first_object_is_rebuilt(configure: Configure) -> None:
    fail("process-1", body_at("2026-01-01T00:00:00Z", data=[]), datetime(2026, 1, 1, tzinfo=UTC))
    run("process-1", sample_body("process-1"))
    before = rows()
    assert "Failed" in str(before["run"])

    in_new_database(configure)

    assert rows() == before


def test_failure_is_rebuilt_with_its_event_and_not_announced_again(configure: Configure) -> None:
    run("process-1", sample_body("process-1"))
    fail("process-1", body_at("2026-06-01T00:00:00Z", data=[]))
    before = rows()
    assert "archive.failed" in str(before["event"])
    in_new_database(configure)

    assert announce_failures(datetime.now(UTC)) == []

    assert rows() == before
