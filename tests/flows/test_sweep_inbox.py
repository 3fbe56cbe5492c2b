"""The flow that sweeps the inbox, against a real Prefect server, on both databases; and its deployment."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.inbox import inbox
from adapters.settings.settings import Settings
from adapters.tables.runs import receipts
from flows.sweep_inbox import DEPLOYMENT, sweep_inbox
from models.archive.archive import State
from models.runs.receipt import Delivery, Identity
from models.runs.run import Trigger
from services.processing.persisting import persist
from services.triggering.trigger import trigger
from tests.conftest import LONGEST_S
from tests.flows.conftest import received
from tests.samples import sample_body

ROOT = Path(__file__).parents[2]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
Api = Callable[..., Any]
Runs = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def api(prefect_server: str) -> Iterator[Api]:
    """Send requests to Prefect, again after 503: on SQLite, Prefect answers 503 when another transaction was faster."""
    with httpx.Client(base_url=prefect_server, timeout=LONGEST_S, trust_env=False) as client:

        def _api(method: str, path: str, **json: object) -> Any:
            answer = client.request(method, path, json=json)
            for _ in range(50):
                if answer.status_code != 503:
                    break
                time.sleep(0.05)
                answer = client.request(method, path, json=json)
            answer.raise_for_status()
            return answer.json() if answer.content else None

        yield _api


@pytest.fixture
def runs(prefect: str, installation: Settings, api: Api) -> Iterator[Runs]:
    """List the runs of `process-archive`, which no worker executes."""
    assert prefect
    assert installation
    flow = api("POST", "/flows/", name="process-archive")
    made = api("POST", "/deployments/", name="archive", flow_id=flow["id"])

    def _runs() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = api("POST", "/flow_runs/filter", deployments={"id": {"any_": [made["id"]]}})
        return found

    def _delete_runs() -> None:
        while found := _runs():  # at most 200 per request, and other tests may leave more
            for run in found:
                api("DELETE", f"/flow_runs/{run['id']}")

    _delete_runs()
    yield _runs
    _delete_runs()


def swept() -> None:
    asyncio.run(sweep_inbox())


def with_run(reference: str) -> tuple[Delivery, str]:
    """Return a delivery that arrived long ago and has a run, and the id of that run."""
    delivery = received(reference, sample_body(reference), NOON)
    asyncio.run(trigger(delivery, Trigger.WEBHOOK))
    return delivery, _run_of(delivery)


def _run_of(delivery: Delivery) -> str:
    return receipts.register(delivery).flow_run_id or ""


def _set_state(api: Api, run: str, state: str) -> None:
    api("POST", f"/flow_runs/{run}/set_state", state={"type": state, "name": state.title()}, force=True)


def test_unregistered_delivery_and_delivery_without_a_run_get_a_run(runs: Runs) -> None:
    for number, reference in enumerate(("registered", "unregistered")):
        body = sample_body(reference)
        intake = inbox.Intake()
        intake.digest(body)
        intake.write([body])
        delivery = intake.accept(Identity(reference), NOON + timedelta(minutes=number), {})
        if reference == "registered":
            receipts.register(delivery)

    swept()

    made = sorted(runs(), key=lambda run: str(run["created"]))
    assert [run["name"] for run in made] == ["registered", "unregistered"]
    assert all("trigger:sweep" in run["tags"] for run in made)


def test_deleted_run_is_created_again(runs: Runs, api: Api) -> None:
    delivery, run = with_run("deleted")
    api("DELETE", f"/flow_runs/{run}")

    swept()

    assert [each["id"] for each in runs()] == [_run_of(delivery)] != [run]


def test_crashed_run_is_followed_by_one_new_run(runs: Runs, api: Api) -> None:
    delivery, run = with_run("crashed")
    _set_state(api, run, "CRASHED")

    swept()
    swept()

    assert {each["id"] for each in runs()} == {run, _run_of(delivery)}
    assert len(runs()) == 2


def test_cancelled_run_is_not_started_again(runs: Runs, api: Api) -> None:
    delivery, run = with_run("cancelled")
    _set_state(api, run, "CANCELLED")

    swept()

    assert [each["id"] for each in runs()] == [run]
    assert receipts.get(delivery.receipt_id).state == "failed"


def test_active_run_and_failed_receipt_get_no_new_run(runs: Runs, api: Api) -> None:
    _, alive = with_run("alive")
    failed, run = with_run("failed")
    _set_state(api, run, "FAILED")
    receipts.set_state(failed.receipt_id, State.FAILED, NOON)

    swept()

    assert {each["id"] for each in runs()} == {alive, run}
    assert len(list(inbox.deliveries())) == 2


def test_completed_receipt_leaves_the_inbox(runs: Runs) -> None:
    delivery, run = with_run("completed")
    persist("completed", delivery.receipt_id)
    receipts.set_state(delivery.receipt_id, State.COMPLETED, NOON)

    swept()

    assert list(inbox.deliveries()) == []
    assert not inbox.has_body(delivery.receipt_id)
    assert [each["id"] for each in runs()] == [run]


def test_second_deployment_keeps_one_schedule_and_removes_overdue_runs(
    api: Api, prefect_server: str, tmp_path: Path
) -> None:
    with suppress(httpx.HTTPStatusError):  # another test has created it
        api("POST", "/work_pools/", name="cellar", type="process")
    _deploy(prefect_server, tmp_path)
    first = api("GET", f"/deployments/name/{DEPLOYMENT}")
    missed = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T02:00:00Z"}
    api("POST", f"/deployments/{first['id']}/schedule", **missed)
    assert _due(api, first["id"])

    _deploy(prefect_server, tmp_path)

    made = api("GET", f"/deployments/name/{DEPLOYMENT}")
    assert (made["id"], made["paused"], made["tags"]) == (first["id"], False, ["housekeeping"])
    assert [(each["schedule"]["interval"], each["active"]) for each in made["schedules"]] == [(300, True)]
    assert (made["entrypoint"], made["path"], made["pull_steps"]) == ("flows.sweep_inbox.sweep_inbox", None, [])
    assert _due(api, first["id"]) == []
    archive = api("GET", "/deployments/name/process-archive/archive")
    assert archive["entrypoint"] == "flows.process_archive.process_archive"
    for deployment in (made, archive):
        api("DELETE", f"/deployments/{deployment['id']}")


def _due(api: Api, deployment_id: str) -> list[Any]:
    long_due = {"expected_start_time": {"before_": "2026-01-02T00:00:00Z"}}
    due: list[Any] = api("POST", "/flow_runs/filter", deployments={"id": {"any_": [deployment_id]}}, flow_runs=long_due)
    return due


def _deploy(api_url: str, folder: Path) -> None:
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("CELLAR_", "PREFECT_"))}
    ours = {"PREFECT_API_URL": api_url, "PREFECT_HOME": str(folder / "prefect"), "DO_NOT_TRACK": "1"}
    prefect = [sys.executable, "-P", "-m", "prefect", "--no-prompt"]
    deploy = ["deploy", "--all", "--prefect-file", str(ROOT / "prefect.yaml")]
    ran = subprocess.run(
        [*prefect, *deploy], env=mine | ours, cwd=folder, capture_output=True, text=True, timeout=LONGEST_S, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
