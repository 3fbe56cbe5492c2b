"""A Prefect server with cellar's settings removes ended runs after CELLAR_PREFECT_RETENTION_DAYS, and nothing else."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from rich.console import Console
from sqlmodel import select

from adapters.database.freed import leave_nothing
from adapters.database.transactions import writing
from adapters.peers import prefect_facts
from adapters.settings.environment import prefect_file, prefect_server_defaults
from adapters.settings.settings import settings
from adapters.tables.runs import receipts
from cli.archives.archive_page import print_archive
from flows.execution.results import save_block
from flows.process_archive import process_archive
from models.runs.receipt import RunRow
from models.views.archives.archives import RunView
from services.triggering.trigger import forgotten, untriggered
from tests.conftest import LONGEST_S, Configure, free_port, serving_prefect, wait_until
from tests.flows.conftest import received
from tests.installations import archive_of
from tests.samples import sample_body

_DAYS = 8
_STATES = {
    "old and completed": {"type": "COMPLETED"},
    "old and cancelled": {"type": "CANCELLED"},
    "old and waiting": {"type": "SCHEDULED", "name": "AwaitingRetry"},
    "old and running": {"type": "RUNNING"},
    "young and completed": {"type": "COMPLETED"},
}


@pytest.fixture
def prefect_that_forgets(configure: Configure, migrated_prefect: Path) -> Iterator[httpx.Client]:
    """A server as `cellar up` starts it, except that it looks for old runs, and for what they left, every two seconds.

    Lines of a run's log that reach the server after the run was removed stay until the second look, daily by default.
    """
    made = configure(prefect_retention_days=_DAYS)
    home, port = prefect_file(made).parent, free_port()
    home.mkdir(parents=True)
    shutil.copy(migrated_prefect, home)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in prefect_server_defaults(made).items():
            patch.setenv(name, value)
        patch.setenv("PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS", "2")
        patch.setenv("PREFECT_SERVER_SERVICES_DB_VACUUM_ORPHAN_CLEANUP_LOOP_SECONDS", "2")
        with serving_prefect(home, port, os.environ["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"]) as url:
            configure(PREFECT_API_URL=url)
            asyncio.run(_deployed(url))
            with httpx.Client(base_url=url, timeout=LONGEST_S, trust_env=False) as client:
                yield client


async def _deployed(url: str) -> None:
    with temporary_settings({PREFECT_API_URL: url}):
        await save_block()


@pytest.mark.usefixtures("sqlite_installation")
def test_old_ended_runs_are_removed_with_all_that_belongs_to_them_and_the_archive_keeps_its_history(
    prefect_that_forgets: httpx.Client,
) -> None:
    database = prefect_file(settings())
    others = {name: _run_in(prefect_that_forgets, state) for name, state in _STATES.items()}
    _processed(str(prefect_that_forgets.base_url), "process-1", sample_body())
    _processed(str(prefect_that_forgets.base_url), "process-2", b"no archive")
    done, failed = _only_run("process-1"), _only_run("process-2")
    assert (done.state, failed.state, done.url is None) == ("Completed", "Failed", False)

    old = {name: each for name, each in others.items() if name.startswith("old")}
    _age([*old.values(), done.flow_run_id, failed.flow_run_id], database)
    gone = {others["old and completed"], others["old and cancelled"], done.flow_run_id, failed.flow_run_id}
    wait_until(lambda: not _known(prefect_that_forgets) & gone)

    assert _known(prefect_that_forgets) == set(others.values()) - gone
    wait_until(lambda: not _rows_of(gone, database))
    leave_nothing()
    kept = b"".join(each.read_bytes() for each in database.parent.glob(f"{database.name}*"))
    assert [name for name, each in others.items() if f"line of {each}".encode() not in kept] == [
        "old and completed",
        "old and cancelled",
    ]
    whole = {"flow_run", "flow_run_state", "log", "task_run"}
    for stays in set(others.values()) - gone:
        assert _rows_of({stays}, database) == whole
    assert prefect_facts.runs_kept_for() == timedelta(days=_DAYS)
    assert _only_run("process-1") == done.model_copy(update=_aged(done) | {"url": None})
    assert "Prefect no longer keeps this run" in _page("process-1")
    assert [*asyncio.run(untriggered()), *asyncio.run(forgotten())] == []  # the failed archive waits for a person


def _processed(url: str, reference: str, body: bytes) -> None:
    delivery = received(reference, body, datetime.now(UTC) - timedelta(minutes=1))

    async def _run() -> None:
        with temporary_settings({PREFECT_API_URL: url}):
            await process_archive(reference, return_state=True)

    asyncio.run(_run())
    receipts.set_triggered([delivery.delivery_id], _only_run(reference).flow_run_id)


def _run_in(client: httpx.Client, state: dict[str, str]) -> str:
    """Make a run in a state, with a task and a line of its log, and return its id."""
    flow = client.post("/flows/", json={"name": "other"}).raise_for_status().json()
    new = {"flow_id": flow["id"], "state": {"type": "RUNNING"}}
    run: str = client.post("/flow_runs/", json=new).raise_for_status().json()["id"]
    task = {"flow_run_id": run, "task_key": "task", "dynamic_key": "0", "state": {"type": "COMPLETED"}}
    client.post("/task_runs/", json=task).raise_for_status()
    line = {
        "name": "n",
        "level": 20,
        "message": f"line of {run}",
        "timestamp": datetime.now(UTC).isoformat(),
        "flow_run_id": run,
    }
    client.post("/logs/", json=[line]).raise_for_status()
    client.post(f"/flow_runs/{run}/set_state", json={"state": state, "force": True}).raise_for_status()
    return run


def _age(flow_run_ids: list[str], prefect_database: Path) -> None:
    """Let runs have begun and ended nine days earlier, in Prefect and in our history: nobody waits for a calendar."""
    with closing(sqlite3.connect(prefect_database, timeout=LONGEST_S)) as connection, connection:
        marks = ",".join("?" * len(flow_run_ids))
        for column in ("created", "start_time", "end_time", "expected_start_time"):
            earlier = f"strftime('%Y-%m-%d %H:%M:%f', {column}, '-9 days')"
            connection.execute(f"UPDATE flow_run SET {column} = {earlier} WHERE id IN ({marks})", flow_run_ids)
    with writing() as session:
        for row in session.exec(select(RunRow)):
            assert row.ended_at
            row.started_at, row.ended_at = row.started_at - timedelta(days=9), row.ended_at - timedelta(days=9)


def _aged(run: RunView) -> dict[str, object]:
    assert run.ended_at
    return {"started_at": run.started_at - timedelta(days=9), "ended_at": run.ended_at - timedelta(days=9)}


def _known(client: httpx.Client) -> set[str]:
    return {each["id"] for each in client.post("/flow_runs/filter", json={}).raise_for_status().json()}


def _rows_of(flow_run_ids: set[str], prefect_database: Path) -> set[str]:
    """Return the tables of Prefect's database that still have rows of these runs."""
    with closing(sqlite3.connect(f"file:{prefect_database}?mode=ro", uri=True)) as connection:
        marks = ",".join("?" * len(flow_run_ids))
        return {
            table
            for table, column in (
                ("flow_run", "id"),
                ("flow_run_state", "flow_run_id"),
                ("task_run", "flow_run_id"),
                ("log", "flow_run_id"),
                ("artifact", "flow_run_id"),
            )
            if connection.execute(f"SELECT 1 FROM {table} WHERE {column} IN ({marks})", [*flow_run_ids]).fetchone()
        }


def _only_run(reference: str) -> RunView:
    archive = archive_of(reference)
    (run,) = archive.runs
    return run


def _page(reference: str) -> str:
    archive = archive_of(reference)
    terminal = Console(width=200, record=True)
    print_archive(terminal, archive, datetime.now(UTC))
    return terminal.export_text()
