"""A run that is killed between any two steps, and run again, reaches the same end."""

import asyncio
import re
import signal
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from sqlmodel import update

from adapters.database import connections, transactions
from adapters.files.store import store
from adapters.settings.settings import Settings, settings
from adapters.store import ocfl, seals
from adapters.tables.runs import leases
from flows.process_archive import process_archive
from models.messages.notification import NotificationRow
from models.runs.receipt import Leased, LeaseRow
from tests.conftest import Configure, make_tables
from tests.flows.conftest import received
from tests.flows.databases import new_database_beside, rows_of_tables
from tests.flows.killed import run_until
from tests.killed import exit_status
from tests.messages import SECRET
from tests.ocfl_validator import validation_errors
from tests.samples import sample_body

pytestmark = pytest.mark.usefixtures("prefect")

WRITES = {"sqlite": range(60), "postgresql": range(0, 2000, 3)}
"""By kind of database: each exchange with Postgres counts twice."""
HISTORY = {"change", "run", "lease", "notification_attempt", "task_result"}
"""Tables that have rows for every attempt, and must differ."""
WRITER = re.compile("/content/[0-9a-f]{8}/")
TIMES = {
    "archive.completed_at",
    "delivery.delivery_id",
    "discrepancy_event.at",
    "endpoint.actions",
    "endpoint.created_at",
    "endpoint.keys",
    "event.at",
    "event.body",
    "notification.delivered_at",
    "notification.expires_at",
    "notification.planned_at",
    "receipt.completed_at",
}
"""Columns with a time, with a text that has one, with a random id, or with what is sealed by a random number."""


@pytest.mark.parametrize(
    ("installation", "store_kind", "kills"),
    [("sqlite", "folder", (4, 10, 16)), ("sqlite", "bucket", (12,)), ("postgres", "folder", (100,))],
    indirect=["installation", "store_kind"],
)
def test_next_run_finishes_a_run_killed_before_a_write(
    configure: Configure,
    installation: Settings,
    store_kind: str,
    httpserver: HTTPServer,
    tmp_path: Path,
    kills: tuple[int, ...],
) -> None:
    _expect_notifications(configure, httpserver)
    expected = _undisturbed(configure)
    for writes in kills:
        assert _end_state_after_a_kill(configure, tmp_path, writes) == (True, expected), f"killed before write {writes}"
    assert len({request.headers["webhook-id"] for request, _ in httpserver.log}) == 1


@pytest.mark.faults
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("installation", "store_kind"),
    [("sqlite", "folder"), ("sqlite", "bucket"), ("postgres", "folder")],
    indirect=True,
)
def test_next_run_finishes_a_run_killed_before_every_single_write(
    configure: Configure,
    installation: Settings,
    store_kind: str,
    httpserver: HTTPServer,
    tmp_path: Path,
) -> None:
    _expect_notifications(configure, httpserver)
    expected = _undisturbed(configure)
    for writes in WRITES[connections.engine().dialect.name]:
        was_killed, end = _end_state_after_a_kill(configure, tmp_path, writes)
        assert end == expected, f"killed before write {writes}"
        if not was_killed:
            assert writes > 15, "the count of writes does not work"
            return
    pytest.fail(f"more than {writes} writes; raise the bound")


def _expect_notifications(configure: Configure, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_data("")
    seal_key = b64encode(bytes(64)).decode()  # the same everywhere, or no two stores would be equal
    urls = {"notify_urls": httpserver.url_for("/hook"), "notify_secret": SECRET}
    configure(**urls, notify_allow_private="true", seal_keys=seal_key, PREFECT_LOGGING_TO_API_ENABLED="false")


def _received() -> str:
    for location, key in _keys().items():
        store().keep_first(key, location)
    return received("process-1", sample_body(), datetime(2026, 1, 1, tzinfo=UTC)).receipt_id


@cache
def _keys() -> dict[str, bytes]:
    """Make the keys once, in one folder, for all runs."""
    seals.sealer("process-1")[0](b"")
    seals.fingerprint("")
    return {location: store().read_bytes(location) for location in seals.wrapped_keys()}


def _end_state_after_a_kill(configure: Configure, folder: Path, writes: int) -> tuple[bool, dict[str, Any]]:
    """Kill a run, if it makes more writes, and run again. Return whether it was killed, and the end."""
    _begin_anew(configure, folder / f"killed-{writes}")
    receipt_id = _received()
    status = exit_status(run_until, writes, "process-1", receipt_id)
    assert status in (0, -signal.SIGKILL)
    _finish(receipt_id)
    return status != 0, _end_state()


def _finish(receipt_id: str) -> None:
    """Run again, as if the dead holder's lease and its claim on a message had expired."""
    with transactions.writing() as writing:
        writing.execute(update(NotificationRow).values(claimed_until=None))
    with transactions.reading() as session:
        lease = session.get(LeaseRow, (Leased.PROCESS, "process-1"))
    if lease:
        leases.release(["process-1"], lease.holder)
    asyncio.run(process_archive("process-1", receipt_id))


def _undisturbed(configure: Configure) -> dict[str, Any]:
    """Return the end state of a run that is not killed, in another data folder."""
    _begin_anew(configure, settings().data_dir.with_name("undisturbed"))
    asyncio.run(process_archive("process-1", _received()))
    return _end_state()


def _is_in_bucket() -> bool:
    return "://" in settings().store_location


def _begin_anew(configure: Configure, folder: Path) -> None:
    """Use an empty database, store and inbox. What is in a folder lies below the data folder."""
    store_url = {"store_url": f"{settings().store_location}-{folder.name}"} if _is_in_bucket() else {}
    location = settings().database_location
    database_url = {} if location.startswith("sqlite") else {"database_url": new_database_beside(location)}
    configure(data_dir=folder, **store_url, **database_url)
    make_tables()


def _end_state() -> dict[str, Any]:
    """Return everything that is left: rows without history and times, files of the store, and names in the inbox."""
    assert validation_errors() == []
    tables = rows_of_tables(without=TIMES)
    rows = {name: found for name, found in tables.items() if name not in HISTORY}
    return {
        "rows": rows,
        "files": dict(_stored()),
        "inbox": sorted(path.name for path in (settings().data_dir / "inbox" / "waiting").iterdir()),
    }


def _stored() -> Iterator[tuple[str, str]]:
    """Yield the files of the store without the names of writers, each of which has its own folder in a bucket.

    Inventories name these folders. `validation_errors` has already compared the inventories with their sidecars.
    """
    for key, _ in store().listed(ocfl.ROOT):
        if "/history/" not in key and not (_is_in_bucket() and key.endswith(ocfl.SIDECAR)):
            text = store().read_bytes(key).decode("latin-1")
            yield WRITER.sub("/content/", key), WRITER.sub("/content/", text)
