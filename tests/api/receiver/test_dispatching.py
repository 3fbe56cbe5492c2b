"""Starts a run for each stored archive, right after the answer or by the sweep."""

import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from models.runs.receipt import Identity
from tests.api.conftest import TOKEN, Receiver, receiving
from tests.conftest import LONGEST_S, free_port, running, wait_until
from tests.installations import deployed, installed, taken_in
from tests.samples import sample_body

ROOT = Path(__file__).parents[3]
Runs = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def runs(prefect_server: str) -> Iterator[Runs]:
    with deployed(prefect_server) as runs:
        yield runs


def test_archive_that_is_sent_twice_gets_one_run(tmp_path: Path, runs: Runs, prefect_server: str) -> None:
    body = sample_body("sent / twice")
    with receiving(tmp_path, PREFECT_API_URL=prefect_server, api_tokens=TOKEN, sweep_interval_s=0.5) as receiver:
        receipt_id = receiver.post(body).json()["document"]["reference"]
        receiver.post(body)
        wait_until(lambda: len(_archive(receiver, "sent%20%2F%20twice").get("deliveries", [])) == 2)
        answers = [_rerun(receiver, "sent%20%2F%20twice") for _ in range(2)]

    (run,) = runs()
    assert run["name"] == "sent / twice"
    assert run["parameters"] == {"reference": "sent / twice", "receipt_id": receipt_id}
    assert {"reference:sent / twice", "trigger:webhook"} <= set(run["tags"])
    assert [answer.status_code for answer in answers] == [202, 202]
    url = f"{prefect_server.removesuffix('/api')}/runs/flow-run/{run['id']}"
    started = {"reference": "sent / twice", "flow_run_id": run["id"], "state": "Scheduled", "url": url}
    assert [answer.json() for answer in answers] == [started] * 2


def test_next_start_triggers_the_archives_of_a_dead_receiver(tmp_path: Path, runs: Runs, prefect_server: str) -> None:
    _store(tmp_path, "swept", sample_body("swept"))

    with receiving(tmp_path, PREFECT_API_URL=prefect_server):
        wait_until(lambda: bool(runs()))

    (run,) = runs()
    assert (run["name"], "trigger:sweep" in run["tags"]) == ("swept", True)


def test_sweep_continues_after_an_unreadable_record(tmp_path: Path) -> None:
    """Prefect does not answer: the sweep registers the delivery, and leaves the unreadable record in place."""
    with receiving(tmp_path, sweep_interval_s=0.2, api_tokens=TOKEN) as receiver:
        unreadable = receiver.inbox / "waiting" / "0.json"
        unreadable.parent.mkdir(parents=True, exist_ok=True)
        unreadable.write_bytes(b"")
        wait_until(lambda: "record is unreadable" in receiver.log.read_text())

        _store(tmp_path, "found", sample_body("found"))

        wait_until(lambda: _archive(receiver, "found").get("state") == "received")


def test_sweep_tries_prefect_once_and_every_archive_gets_its_run_after_the_outage(
    tmp_path: Path, runs: Runs, prefect_server: str
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    with receiving(tmp_path, PREFECT_API_URL=url, api_tokens=TOKEN, sweep_interval_s=1) as receiver:
        for number in range(12):
            assert receiver.post(sample_body(f"outage {number}")).json()["status"] == "0"
        wait_until(lambda: "the sweep stopped" in receiver.log.read_text())
        assert receiver.log.read_text().count("is not triggered; the sweep tries again") < 6

        servers_port = prefect_server.removesuffix("/api").rpartition(":")[2]
        relay = [sys.executable, "-m", "tests.relay", str(port), servers_port]
        with running(relay, dict(os.environ), tmp_path / "relay.log", folder=ROOT):
            wait_until(lambda: len(runs()) == 12)
            # The receiver triggers new archives itself again.
            receiver.post(sample_body("after"))
            wait_until(lambda: len(runs()) == 13)

    created = {run["name"]: run["created"] for run in runs()}
    swept = [f"outage {number}" for number in range(12)]
    assert sorted(swept, key=lambda name: created[name]) == swept
    after = next(run for run in runs() if run["name"] == "after")
    assert "trigger:webhook" in after["tags"]


@pytest.fixture(params=[("sqlite", "delivery", "outcome"), ("postgres", "archive", "state")], ids=lambda each: each[0])
def column(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str, str]:
    """The URL of a database, for a receiver that migrates it, and a table with one of its columns."""
    kind, table, name = request.param
    if kind == "sqlite":
        return f"sqlite:///{tmp_path}/cellar.db", table, name
    return request.getfixturevalue("postgres_installation"), table, name


def test_readiness_check_reports_a_broken_sweep_until_it_works_again(
    tmp_path: Path, runs: Runs, prefect_server: str, column: tuple[str, str, str]
) -> None:
    """A renamed column fails some queries and no connection. Once it has its old name, the sweep recovers by itself."""
    database, table, name = column
    with receiving(tmp_path, database_url=database, PREFECT_API_URL=prefect_server, sweep_interval_s=0.5) as receiver:
        _rename(database, table, name, "another")
        for number in range(3):
            assert receiver.post(sample_body(f"while the sweep is down {number}")).json()["status"] == "0"
        wait_until(lambda: receiver.client.get("/readyz").status_code == 503)
        reported = receiver.client.get("/readyz").json()
        assert (reported["status"], reported["database"], reported["prefect"]) == ("not ready", "ok", "ok")
        assert "the sweep of the inbox has ended (the database has other tables" in reported["reason"]
        assert "run `cellar migrate`" in reported["reason"]

        _rename(database, table, "another", name)

        wait_until(lambda: len(runs()) == 3)
        wait_until(lambda: receiver.client.get("/readyz").status_code == 200)
        assert receiver.process.poll() is None
        traces = [line for line in receiver.log.read_text().splitlines() if "Traceback" in line]
        assert traces  # one a sweep, none a delivery
        assert not [line for line in traces if "is not triggered" in line]


def _rename(url: str, table: str, column: str, name: str) -> None:
    statement = f"ALTER TABLE {table} RENAME COLUMN {column} TO {name}"
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=LONGEST_S)) as file, file:
            file.execute(statement)
    else:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement.encode())


def _store(folder: Path, reference: str, body: bytes) -> None:
    """Store a delivery of long ago, as a receiver of this installation does."""
    with installed(folder):
        taken_in(body).accept(Identity(reference), datetime(2026, 1, 1, tzinfo=UTC), {})


def _archive(receiver: Receiver, reference: str) -> dict[str, Any]:
    answer = receiver.client.get(f"/api/archives/{reference}", headers={"authorization": f"Bearer {TOKEN}"})
    archive: dict[str, Any] = answer.json()
    return archive


def _rerun(receiver: Receiver, reference: str) -> httpx.Response:
    return receiver.client.post(f"/api/archives/{reference}/rerun", headers={"authorization": f"Bearer {TOKEN}"})
