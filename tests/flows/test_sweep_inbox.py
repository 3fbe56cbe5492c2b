"""The flow that sweeps the inbox, against a real Prefect server; and its deployment."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.context import AsyncClientContext

from adapters.inbox import inbox
from adapters.settings.settings import Settings
from adapters.tables.runs import receipts
from flows.sweep_inbox import DEPLOYMENT, sweep_inbox
from flows.worker.serving import deployed_flows
from models.archive.archive import State
from models.runs.receipt import Delivery, Identity, Trigger
from services.health.checks import examined
from services.health.systems import system_probes
from services.processing.persisting import persist
from services.triggering.trigger import trigger
from tests.conftest import LONGEST_S
from tests.flows.conftest import received
from tests.samples import sample_body

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
def runs(prefect: str, sqlite_installation: Settings, api: Api) -> Iterator[Runs]:
    """List the runs of `process-archive`, which no worker executes."""
    assert prefect
    assert sqlite_installation
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
    return delivery, receipts.register_all([delivery])[0].flow_run_id or ""


def arrived(reference: str) -> Delivery:
    intake, body = inbox.Intake(), sample_body(reference)
    intake.digest(body)
    intake.write([body])
    return intake.accept(Identity(reference), NOON, {})


def _set_state(api: Api, run: str, state: str) -> None:
    api("POST", f"/flow_runs/{run}/set_state", state={"type": state, "name": state.title()}, force=True)


def test_sweep_starts_the_runs_that_deliveries_lack_once(runs: Runs, api: Api) -> None:
    """What becomes of each delivery, `tests/services/triggering/test_trigger.py` shows."""
    left = [arrived("registered"), arrived("unregistered")]
    receipts.register_all([left[0]])
    for reference, state in (("crashed", "CRASHED"), ("cancelled", "CANCELLED"), ("failed", "FAILED")):
        delivery, run = with_run(reference)
        _set_state(api, run, state)
        left.append(delivery)
    receipts.set_state(left[-1].receipt_id, State.FAILED, NOON)
    deleted, gone = with_run("deleted")
    api("DELETE", f"/flow_runs/{gone}")
    alive, _ = with_run("alive")
    completed, _ = with_run("completed")
    persist("completed", completed.receipt_id)
    receipts.set_state(completed.receipt_id, State.COMPLETED, NOON)

    swept()
    swept()

    made = Counter(run["name"] for run in runs())
    assert made.pop("crashed") == 2
    assert made == Counter(("registered", "unregistered", "cancelled", "failed", "deleted", "alive", "completed"))
    assert gone not in [run["id"] for run in runs()]
    assert all("trigger:sweep" in run["tags"] for run in runs() if run["name"].endswith("registered"))
    assert {each.delivery_id for each in inbox.deliveries()} == {each.delivery_id for each in (*left, deleted, alive)}


@pytest.mark.usefixtures("prefect")
def test_second_deployment_keeps_one_schedule_and_removes_overdue_runs(api: Api) -> None:
    _deploy()
    first = api("GET", f"/deployments/name/{DEPLOYMENT}")
    missed = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T02:00:00Z"}
    api("POST", f"/deployments/{first['id']}/schedule", **missed)
    assert _due(api, first["id"])
    [housekeeping] = examined([each for each in system_probes() if each.name == "housekeeping"], LONGEST_S)
    assert (housekeeping.verdict, housekeeping.found) == ("warning", "overdue since 2026-01-01 00:00 UTC")

    _deploy()

    made = api("GET", f"/deployments/name/{DEPLOYMENT}")
    assert (made["id"], made["paused"], made["tags"]) == (first["id"], False, ["housekeeping"])
    assert [(each["schedule"]["interval"], each["active"]) for each in made["schedules"]] == [(300, True)]
    # With a path, each run first copies that folder. With pull steps, a run needs a folder that exists.
    assert (made["entrypoint"], made["path"], made["pull_steps"]) == ("flows.sweep_inbox.sweep_inbox", None, [])
    assert _due(api, first["id"]) == []
    archive = api("GET", "/deployments/name/process-archive/archive")
    assert (archive["entrypoint"], archive["work_pool_name"]) == ("flows.process_archive.process_archive", "cellar")
    assert set(archive["parameter_openapi_schema"]["properties"]) == {"reference", "receipt_id"}
    for deployment in (made, archive):
        api("DELETE", f"/deployments/{deployment['id']}")


def _due(api: Api, deployment_id: str) -> list[Any]:
    long_due = {"expected_start_time": {"before_": "2026-01-02T00:00:00Z"}}
    due: list[Any] = api("POST", "/flow_runs/filter", deployments={"id": {"any_": [deployment_id]}}, flow_runs=long_due)
    return due


def _deploy() -> None:
    """Deploy as a worker does at its start. A test of the docs runs Prefect's own command."""

    async def _deployed() -> None:
        async with AsyncClientContext(), get_client() as client:
            await deployed_flows(client)

    asyncio.run(_deployed())
