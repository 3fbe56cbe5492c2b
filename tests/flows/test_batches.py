"""The deployments `rerun-archives` and `drive-batch`: a real worker runs failed archives again, also from the UI."""

import asyncio
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from subprocess import run as run_command
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect import Flow
from prefect.exceptions import ParameterTypeError

from adapters.peers.prefect_api import BATCH_DEPLOYMENT, DEPLOYMENT
from adapters.settings.settings import settings
from adapters.tables.batches import batches as rows
from adapters.tables.runs import receipts, runs
from flows.batches import rerun_archives
from flows.judge_signatures import judge_signatures
from flows.verify_archives import verify_archives
from models.access import CELLAR
from models.archive.archive import State
from models.messages.notification import Event, EventType
from models.runs.batch import BatchAction, BatchKind, ItemState
from models.runs.receipt import Delivery, RunRow, RunState, Trigger
from models.views.archives.archives import ArchiveFilter
from models.views.batch import ItemQuery, RedeliveryFilter
from models.views.messages import NewEndpoint
from services.batches import batches
from services.messages import endpoints
from services.messages.deliveries import give_up_expired
from services.messages.events import announce
from services.views import archive_view
from tests.batches import bodies_away, driven_until_killed
from tests.conftest import LONGEST_S, make_tables, wait_until
from tests.flows import workers
from tests.flows.conftest import received
from tests.flows.workers import wait_for, worker
from tests.installations import archive_of, installed
from tests.samples import sample_body

ALL = ItemQuery(limit=500)
_RERUN = "rerun-archives/rerun-archives"


@pytest.fixture(scope="module")
def working(tmp_path_factory: pytest.TempPathFactory, prefect_server: str) -> Iterator[None]:
    """An installation with a worker."""
    with installed(tmp_path_factory.mktemp("bulk"), PREFECT_API_URL=prefect_server):
        make_tables()
        workers.forget_runs()
        with worker("bulk"):
            yield


@pytest.mark.parametrize(
    ("flow", "parameters"),
    [
        *((rerun_archives, {"dry_run": value}) for value in (0, "false", None)),
        *((rerun_archives, {name: True}) for name in ("since", "until")),
        (verify_archives, {"share": "1"}),
        (judge_signatures, {"most": True}),
    ],
)
def test_parameter_of_another_type_is_refused(flow: Flow[..., Any], parameters: dict[str, Any]) -> None:
    with pytest.raises(ParameterTypeError):
        flow.validate_parameters(parameters)


def failed(*references: str) -> list[Delivery]:
    """Receive archives whose run has failed, as the history of runs knows it."""
    return [_failed(each) for each in references]


def _failed(reference: str) -> Delivery:
    delivery = received(reference, sample_body(reference))
    receipts.set_triggered([delivery.delivery_id], f"failed-{reference}")
    ran(f"failed-{reference}", delivery, RunState.FAILED, State.FAILED)
    return delivery


def ran(flow_run_id: str, delivery: Delivery, state: RunState, receipt_state: State) -> None:
    """Record a run and its end, as the flow does."""
    row = RunRow(
        flow_run_id=flow_run_id,
        attempt=1,
        reference=delivery.reference,
        receipt_id=delivery.receipt_id,
        trigger=Trigger.WEBHOOK,
        state=RunState.RUNNING,
        started_at=datetime.now(UTC),
    )
    runs.begin(row)
    runs.end(flow_run_id, 1, state, receipt_state, datetime.now(UTC))


def prefect(path: str, body: dict[str, Any] | None = None) -> Any:
    """Return what Prefect answers, to a POST if there is a body."""
    method = "GET" if body is None else "POST"
    answer = httpx.request(method, f"{settings().prefect_url}/{path}", json=body, timeout=LONGEST_S)
    return answer.raise_for_status().json()


def started(name: str = _RERUN, state: dict[str, Any] | None = None, **parameters: Any) -> str:
    """Run a deployment as the UI does, and return the id of the flow run."""
    deployed = prefect(f"deployments/name/{name}")["id"]
    return str(prefect(f"deployments/{deployed}/create_flow_run", {"parameters": parameters, "state": state})["id"])


def started_later(name: str, **parameters: Any) -> str:
    """Make a run of a deployment that is not due yet."""
    details = {"scheduled_time": "2099-01-01T00:00:00Z"}
    return started(name, {"type": "SCHEDULED", "state_details": details}, **parameters)


def artifacts(flow_run_id: str) -> dict[str, dict[str, Any]]:
    wanted = {"artifacts": {"flow_run_id": {"any_": [flow_run_id]}}}
    return {each["type"]: each for each in prefect("artifacts/filter", wanted)}


def frozen(**members: Any) -> str:
    """Plan and confirm the re-run of failed archives without starting its driver."""
    row = batches.plan(BatchKind.RERUN, ArchiveFilter(state=State.FAILED, **members), "ann@host")
    batches.freeze(row.id, "ann@host")
    return row.id


def runs_of(batch_id: str) -> list[list[tuple[str, str]]]:
    """Return the bulk runs of each archive of a bulk re-run, in the order of the list."""
    found = [archive_view.archive(each.subject, CELLAR) for each in batches.record(batch_id, ALL).items]
    return [[(run.flow_run_id, run.state) for run in each.runs if run.trigger == "bulk"] for each in found if each]


@pytest.mark.usefixtures("working")
def test_parameter_form_has_choices_and_descriptions_and_plans_only_by_default() -> None:
    form = prefect(f"deployments/name/{_RERUN}")["parameter_openapi_schema"]["properties"]

    assert list(form) == ["state", "cause", "template", "source", "since", "until", "dry_run", "bulk"]
    assert all(each["description"] for each in form.values())
    assert form["state"]["enum"] == ["failed", "completed"]
    assert form["dry_run"]["default"] is True
    assert "\\u0000" not in json.dumps(form)  # a Prefect server on Postgres refuses such a deployment


@pytest.mark.usefixtures("working")
def test_dry_run_leaves_a_table_of_the_plan_and_runs_nothing() -> None:
    failed("dry-1", "dry-2")

    flow_run_id = started(since="yesterday", until="9999-01-01")
    wait_for(flow_run_id, "Completed")

    table = artifacts(flow_run_id)["table"]
    counted = {(each["what"], each["which"]): each["archives"] for each in json.loads(table["data"])}
    plan = batches.view(flow_run_id[-12:])
    assert counted["state", "failed"] == plan.planned >= 2
    assert "would be run again" in table["description"]
    assert (plan.state, plan.by) == ("planned", "prefect")
    assert [each.trigger for name in ("dry-1", "dry-2") for each in archive_of(name).runs] == ["webhook"] * 2


@pytest.mark.usefixtures("working")
def test_run_of_the_deployment_completes_each_archive_and_shows_the_progress() -> None:
    failed(*(f"ui-{number}" for number in range(4)))

    flow_run_id = started(dry_run=False)
    wait_for(flow_run_id, "Completed")

    record = batches.record(flow_run_id[-12:], ALL)
    assert (record.state, record.failed, record.done) == ("done", 0, record.planned)
    assert artifacts(flow_run_id)["progress"]["data"] == 100
    assert runs_of(record.id) == [[(each.flow_run_id, "Completed")] for each in record.items]


@pytest.mark.usefixtures("working")
def test_bulk_of_the_command_line_names_the_archives_that_failed_again() -> None:
    deliveries = failed("again-1", "again-2", "again-3")
    with bodies_away([deliveries[0].receipt_id]):
        command = [sys.executable, "-m", "cli.main", "rerun", "--failed", "--yes", "--json"]
        ended = run_command(command, capture_output=True, timeout=LONGEST_S, check=False)
    found = json.loads(ended.stdout)

    assert (ended.returncode, found["state"], found["done"], found["failed"]) == (1, "done", 2, 1)
    record = batches.record(found["id"], ItemQuery())
    assert {each.subject: each.state for each in record.items} == {
        "again-1": "failed",
        "again-2": "completed",
        "again-3": "completed",
    }
    driver = str(record.url).rpartition("/")[2]
    wait_for(driver, "Failed")
    [why] = json.loads(artifacts(driver)["table"]["data"])
    assert (why["cause"], why["items"]) == ("BODY_MISSING", 1)


@pytest.mark.usefixtures("working")
def test_cancel_aborts_and_leaves_the_other_archives_untouched() -> None:
    failed(*(f"cancelled-{number}" for number in range(12)))

    flow_run_id = started(dry_run=False)
    batch_id = flow_run_id[-12:]
    wait_until(lambda: rows.find(batch_id) is not None and batches.view(batch_id).started > 0)
    workers.set_state(flow_run_id, "CANCELLING")
    wait_for(flow_run_id, "Cancelled")
    wait_until(lambda: batches.view(batch_id).started == 0)

    found = batches.record(batch_id, ALL)
    assert (found.state, found.actions[-1].what, found.actions[-1].by) == ("aborted", "aborted", "prefect")
    assert found.completed + found.queued + found.failed == found.planned
    assert {archive_of(each.subject).state for each in found.items if each.state == "queued"} <= {"failed"}


@pytest.mark.usefixtures("working")
def test_paused_batch_goes_on_once_it_is_resumed_and_skips_what_was_completed_meanwhile() -> None:
    failed("paused-1", "paused-2")
    batch_id = frozen(q="paused-")
    batches.change(BatchAction.PAUSE, batch_id, "ann@host")
    driver = started(bulk=batch_id, dry_run=False)
    wait_for(driver, "Running")
    wait_for(workers.create_run("paused-1"), "Completed")
    assert batches.view(batch_id).queued == 2

    batches.change(BatchAction.RESUME, batch_id, "ann@host")
    wait_for(driver, "Completed")

    items = batches.record(batch_id, ItemQuery()).items
    assert [(each.state, each.skipped) for each in items] == [("skipped", "completed since"), ("completed", None)]


@pytest.mark.usefixtures("working")
def test_killed_drivers_are_followed_by_the_driver_of_the_sweep_and_each_archive_runs_once() -> None:
    failed(*(f"killed-{number}" for number in range(4)))
    batch_id = frozen(q="killed-")
    for commits in (1, 2):  # while the worker completes runs, a driver may be done by its third commit
        driven_until_killed(batch_id, commits)

    asyncio.run(batches.restart_drivers())

    wait_until(lambda: batches.view(batch_id).state == "done")
    assert runs_of(batch_id) == [[(each.flow_run_id, "Completed")] for each in batches.record(batch_id, ALL).items]


@pytest.mark.usefixtures("working")
def test_driver_cancelled_before_a_worker_takes_it_aborts_its_batch() -> None:
    failed("never-driven")
    batch_id = frozen(q="never-driven")
    driver = started_later(BATCH_DEPLOYMENT, batch=batch_id)
    rows.set_driver(batch_id, driver, 1)
    workers.set_state(driver, "CANCELLED")

    asyncio.run(batches.restart_drivers())

    found = batches.view(batch_id)
    assert (found.state, found.queued, found.actions[-1].by) == ("aborted", 1, "prefect")


def aborted(delivery: Delivery, flow_run_id: str, at: datetime) -> str:
    """Abort a bulk re-run whose only archive has a run on its way, and whose driver is gone. Return its id."""
    batch_id = frozen(reference=delivery.reference)
    begun = {"receipt_id": delivery.receipt_id, "started_at": at, "flow_run_id": flow_run_id}
    rows.change_items(batch_id, [1], ItemState.QUEUED, state=ItemState.STARTED, **begun)
    batches.change(BatchAction.ABORT, batch_id, "ann@host")
    return batch_id


@pytest.mark.usefixtures("working")
def test_archives_that_were_on_their_way_at_an_abort_do_not_stop_the_next_bulk_re_run() -> None:
    deliveries = failed("on-its-way-1", "on-its-way-2")
    batch_ids = [aborted(each, f"run-{each.reference}", datetime.now(UTC)) for each in deliveries]
    for each in deliveries:
        ran(f"run-{each.reference}", each, RunState.COMPLETED, State.COMPLETED)
    failed("next-bulk")
    plan = batches.plan(BatchKind.RERUN, ArchiveFilter(state=State.FAILED, reference="next-bulk"), "ann@host")

    asyncio.run(batches.confirm(plan.id, "ann@host"))

    wait_until(lambda: batches.view(plan.id).state == "done")
    assert [rows.counts(each) for each in batch_ids] == [{ItemState.COMPLETED: 1}] * 2


@pytest.mark.usefixtures("working")
def test_sweep_completes_the_record_of_aborted_bulk_re_runs_whose_runs_are_lost_or_cancelled() -> None:
    lost, cancelled = failed("lost-run", "run-cancelled")
    flow_run_id = started_later(DEPLOYMENT, reference=cancelled.reference, receipt_id=cancelled.receipt_id)
    two_minutes_ago = datetime.now(UTC) - timedelta(minutes=2)
    of_lost, of_cancelled = (
        aborted(lost, str(uuid4()), two_minutes_ago),
        aborted(cancelled, flow_run_id, two_minutes_ago),
    )
    workers.set_state(flow_run_id, "CANCELLED")

    asyncio.run(batches.settle_aborted())

    [item] = batches.record(of_cancelled, ItemQuery()).items
    assert (item.state, item.cause) == ("failed", "CANCELLED")
    cause = archive_of("run-cancelled").cause
    assert cause
    assert cause.code == "CANCELLED"
    wait_until(lambda: batches.view(of_lost).completed == 1)


@pytest.mark.usefixtures("working")
def test_confirmed_redelivery_becomes_due_and_its_driver_stays_until_its_messages_end() -> None:
    endpoints.add(NewEndpoint(url="http://127.0.0.1:9/erp", name="erp"), "ann@host", datetime.now(UTC))
    announce(Event(EventType.STORE_DAMAGED, "found", datetime.now(UTC), b"{}"))
    asyncio.run(give_up_expired(datetime.now(UTC) + timedelta(hours=76)))
    row = batches.plan(BatchKind.REDELIVER, RedeliveryFilter(), "ann@host")

    asyncio.run(batches.confirm(row.id, "ann@host"))
    wait_until(lambda: batches.view(row.id).started == 1)
    asyncio.run(give_up_expired(datetime.now(UTC) + timedelta(hours=76)))
    wait_until(lambda: batches.view(row.id).state == "done")

    driver = str(batches.get(row.id).flow_run_id)
    wait_for(driver, "Failed")
    assert artifacts(driver)["progress"]["data"] == 100
