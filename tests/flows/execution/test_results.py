"""Results of tasks are kept as long as a retry can need them, and no longer."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from pytest_httpserver import HTTPServer
from sqlmodel import select

from adapters.database.transactions import writing
from adapters.store import kept_endpoints
from adapters.tables.runs import runs, task_results
from flows.execution.results import remove_forgotten_results
from flows.process_archive import process_archive
from flows.reevaluate_payments import reevaluate_payments
from models.messages.notification import EndpointRow, NotificationRow
from models.runs.receipt import TaskResultRow, Trigger
from models.views.archives.archives import ArchiveView, RunView
from models.views.messages import NewEndpoint
from services.messages import endpoints
from tests.conftest import Configure
from tests.flows.conftest import received
from tests.flows.retried import kept, run_and_retried
from tests.installations import archive_of
from tests.messages import notify
from tests.records import all_of, run_row
from tests.samples import sample_body

pytestmark = pytest.mark.usefixtures("prefect")

# That a database of each kind has the results at a retry is shown by the retry of a failed run.
IN_SQLITE = pytest.mark.parametrize("kinds", ["SQLite and a folder"], indirect=True)
DONE_BEFORE = ("persist-files", "load-metadata", "reconcile-payments")


@pytest.fixture
def damaged_key(configure: Configure, kinds: str, httpserver: HTTPServer) -> None:
    """The signing key of the endpoint is damaged in the database, so the last task of a run fails at once."""
    httpserver.expect_request("/hook").respond_with_data("")
    configure(notify_allow_private="true")
    endpoints.add(NewEndpoint(name="erp", url=httpserver.url_for("/hook")), "dana@desk", datetime.now(UTC))
    with writing() as session:
        row = session.get_one(EndpointRow, "erp")
        row.keys = [each | {"sealed": "damaged!"} for each in row.keys]


def repair_key() -> None:
    """Restore the key from the store, after the end of the claim of the attempt that failed."""
    kept_endpoint = kept_endpoints.find("erp")
    assert kept_endpoint
    with writing() as session:
        session.get_one(EndpointRow, "erp").keys = kept_endpoint.keys
        for message in session.exec(select(NotificationRow)):
            message.claimed_until = None


def archived(reference: str) -> ArchiveView:
    """Return an archive after a run, whatever the end of the run."""
    received(reference, sample_body(reference))
    asyncio.run(_run(reference))
    return archive_of(reference)


async def _run(reference: str) -> None:
    await process_archive(reference, return_state=True)


@pytest.mark.usefixtures("kinds")
def test_completed_run_leaves_no_results() -> None:
    assert archived("process-1").runs[-1].state == "Completed"

    assert kept() == []


@pytest.mark.usefixtures("damaged_key")
def test_failed_run_keeps_its_results_as_json() -> None:
    (run,) = archived("process-1").runs

    assert run.state == "Failed"
    assert {flow_run_id for flow_run_id, _ in kept()} == {run.flow_run_id}
    results = [json.loads(each.content) for each in all_of(select(TaskResultRow))]
    assert {each["metadata"]["serializer"]["type"] for each in results if "metadata" in each} == {"json"}
    assert len(results) == len(DONE_BEFORE)  # the run has the cause of its failure in a sentence


@pytest.mark.usefixtures("damaged_key")
def test_retry_of_a_failed_run_resumes_at_the_failed_task(httpserver: HTTPServer) -> None:
    states = asyncio.run(run_and_retried("process-1", "Failed", repair_key))

    assert [states[name] for name in DONE_BEFORE] == [["Completed", "Cached"]] * 3
    assert states["notify-downstream"] == ["Failed", "Completed"]
    assert len(httpserver.log) == 1
    assert kept(archive_of("process-1").runs[-1].flow_run_id) == []


@IN_SQLITE
def test_retry_of_a_completed_run_repeats_all_tasks_with_the_same_end(
    configure: Configure, kinds: str, httpserver: HTTPServer
) -> None:
    notify(configure, httpserver)
    first: list[ArchiveView] = []

    states = asyncio.run(run_and_retried("process-1", "Completed", lambda: first.append(archive_of("process-1"))))

    assert {*map(tuple, states.values())} == {("Completed", "Completed")}
    again = archive_of("process-1")
    history = {"runs", "runs_total", "timeline", "timeline_total"}
    assert again.model_dump(exclude=history) == first[0].model_dump(exclude=history)
    assert [(each.attempt, each.state) for each in again.runs] == [(1, "Completed"), (2, "Completed")]
    assert len(httpserver.log) == 1
    assert kept(archive_of("process-1").runs[-1].flow_run_id) == []


@pytest.mark.usefixtures("damaged_key")
def test_results_without_a_retry_are_removed_after_a_month() -> None:
    now = datetime.now(UTC)
    (forgotten,) = archived("process-1").runs
    (retried,) = archived("process-2").runs
    _begin_again(retried, now + timedelta(days=20))
    before = kept()

    assert remove_forgotten_results(now + timedelta(days=29)) == 0
    assert kept() == before

    assert remove_forgotten_results(now + timedelta(days=31)) == 1
    assert kept() == [each for each in before if forgotten.flow_run_id not in each]
    assert {flow_run_id for flow_run_id, _ in kept()} == {retried.flow_run_id}


def _begin_again(run: RunView, at: datetime) -> None:
    runs.begin(
        run_row(
            run.flow_run_id,
            archive_of("process-2").versions[0].receipt_id,
            attempt=2,
            reference="process-2",
            trigger=Trigger.RETRY,
            started_at=at,
        )
    )


@pytest.mark.usefixtures("damaged_key")
def test_nightly_flow_removes_results_that_no_run_can_need() -> None:
    archived("process-1")
    before = kept()
    task_results.keep("of no run of ours", "error", b"{}")

    asyncio.run(reevaluate_payments())

    assert kept() == before
