"""A Prefect server that knows the flow, and receipts that wait in the inbox."""

import asyncio
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prefect.context import SettingsContext, get_settings_context
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from pytest_httpserver import HTTPServer
from sqlmodel import col, update

from adapters.database.transactions import writing
from adapters.inbox.inbox import Intake
from adapters.settings.settings import Settings, settings
from adapters.store.tombstones import known_digest
from adapters.tables.runs.receipts import register_all
from cli.main import main
from flows.execution.results import StoredResults, save_block, saved_block
from flows.worker.serving import FLOWS
from models.messages.notification import EndpointRow, NotificationRow
from models.runs.receipt import Delivery, Identity
from tests.conftest import Configure, bucket_at
from tests.flows import workers
from tests.messages import SECRET


@pytest.fixture(scope="session")
def reporting(prefect_server: str) -> SettingsContext:
    """Return the settings of flows that report to the Prefect server of the session. To make them takes 0.1 s."""
    with temporary_settings({PREFECT_API_URL: prefect_server, PREFECT_LOGGING_TO_API_ENABLED: False}):
        return get_settings_context()


@pytest.fixture(scope="session")
def kept_results(reporting: SettingsContext) -> StoredResults:
    """Save the block of results on the Prefect server of the session, as the deployment does."""
    with reporting:
        asyncio.run(save_block())
        return asyncio.run(saved_block())


@pytest.fixture
def prefect(
    configure: Configure,
    prefect_server: str,
    reporting: SettingsContext,
    kept_results: StoredResults,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[str]:
    """Let flows of this process report to the Prefect server of the session. As in a worker, they have their block."""
    configure(PREFECT_API_URL=prefect_server)
    for flow in FLOWS:
        monkeypatch.setattr(flow, "result_storage", kept_results)
    with reporting:
        yield prefect_server


@pytest.fixture
def downstream(configure: Configure, prefect: str, sqlite_installation: Settings) -> Iterator[workers.Downstream]:
    """An installation that notifies a downstream system of its archives."""
    with HTTPServer(threaded=True) as server:
        made = workers.Downstream(server)
        notified = {"notify_urls": made.url, "notify_secret": SECRET, "notify_allow_private": "true"}
        configure(**notified, PREFECT_API_URL=prefect)
        workers.forget_runs()
        yield made
        made.let_go()


def due_now() -> None:
    """Let the time of the next attempts be over, for the messages and for the endpoint."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    with writing() as session:
        session.execute(
            update(NotificationRow)
            .where(col(NotificationRow.next_attempt_at).is_not(None))
            .values(next_attempt_at=past)
        )
        session.execute(update(EndpointRow).where(col(EndpointRow.paused_until).is_not(None)).values(paused_until=past))


def received(reference: str, body: bytes, at: datetime | None = None) -> Delivery:
    """Acknowledge and register a body as the receiver does."""
    intake = Intake()
    intake.digest(body)
    intake.write([body])
    delivery = intake.accept(Identity(reference), at or datetime.now(UTC), {"content-type": "application/json"})
    register_all([delivery], known_digest(reference))
    return delivery


@pytest.fixture(params=["SQLite and a folder", "Postgres and a bucket"])
def kinds(request: pytest.FixtureRequest, configure: Configure) -> str:
    """The flow's settings with a migrated database and an empty store, in two kinds."""
    if request.param.startswith("Postgres"):
        url, bucket = f"s3://archives/{secrets.token_hex(8)}", bucket_at(request.getfixturevalue("s3_server"))
        configure(database_url=request.getfixturevalue("postgres_installation"), store_url=url, **bucket)
    else:
        request.getfixturevalue("sqlite_installation")
    return str(request.param)


@pytest.fixture
def cellar(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[..., bytes]:
    """Run a command and return its output and errors. Without arguments: this process's output since the last call."""

    def _cellar(*arguments: str) -> bytes:
        since = b"".join(capfdbinary.readouterr())
        if not arguments:
            return since
        monkeypatch.setattr(sys, "argv", ["cellar", *arguments])
        with pytest.raises(SystemExit):
            main()
        return b"".join(capfdbinary.readouterr())

    return _cellar


@contextmanager
def store_away() -> Iterator[None]:
    """Put a file in the place of the store's folder, as a mount that has gone leaves something else there."""
    folder = Path(settings().store_location)
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder.rename(folder.with_name("aside"))
    folder.touch()
    try:
        yield
    finally:
        folder.unlink()
        aside.rename(folder)


@pytest.fixture
def prefect_logs(prefect: str) -> Iterator[None]:
    """Send the logs of flows to Prefect's server, as outside of tests."""
    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: True}):
        yield
