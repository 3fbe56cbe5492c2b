"""The flow in the test's process, against a real Prefect server, on both databases."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import Artifact, FlowRun, State, StateType, TaskRun
from prefect.flow_engine import run_flow_async
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook

from adapters.files.store import store
from adapters.settings.settings import Settings, settings
from adapters.store import ocfl
from adapters.tables import conditions
from adapters.tables.runs import leases, receipts
from flows.process_archive import MOST_LOGGED, process_archive
from models.access import CELLAR
from models.errors import Refused
from models.templates import Names, TemplateWords
from models.views.archives.archives import ArchiveQuery, ArchiveView
from models.views.archives.payments import Explanation
from services import templates
from services.payments import discrepancies
from services.views import archive_list, overview
from services.views.troubles import failures
from tests.conftest import Configure
from tests.flows.conftest import received
from tests.installations import archive_of, checked, damaged_file, stored_file
from tests.messages import SECRET, notify
from tests.records import buried
from tests.samples import PDF, PNG, sample_body, sample_document

pytestmark = pytest.mark.usefixtures("prefect")


def archived(reference: str, receipt_id: str | None = None) -> ArchiveView:
    """Run the flow and return the archive."""
    asyncio.run(process_archive(reference, receipt_id))
    return archive_of(reference)


def failed_run(reference: str) -> str | None:
    return _state_after(reference).name


def _state_after(reference: str) -> State[Any]:
    async def run() -> State[Any]:
        return await process_archive(reference, return_state=True)

    return asyncio.run(run())


def test_re_run_that_meets_damage_is_a_condition_until_a_re_run_succeeds(sqlite_installation: Settings) -> None:
    received("process-1", sample_body("process-1"))
    archived("process-1")
    key = f"{ocfl.object_key('process-1')}/inventory.json"
    before = store().read_bytes(key)

    store().overwrite_bytes(b"{}", key)
    ended = _state_after("process-1")

    assert ended.is_failed()
    assert [each.reference for each in archive_list.page(ArchiveQuery(attention=True), CELLAR).items] == ["process-1"]
    [group] = failures().items
    assert (group.condition, group.code, group.task) == ("RUN_FAILED", "NOT_REPAIRABLE", "persist-files")
    [condition] = overview.overview(datetime.now(UTC)).attention.conditions
    assert (condition.code, condition.subjects) == ("RUN_FAILED", 1)
    shown = archive_of("process-1")
    assert (shown.state, shown.conditions[0].values["cause"]) == ("completed", "NOT_REPAIRABLE")

    store().overwrite_bytes(before, key)
    assert archived("process-1").conditions == []


def test_delivery_that_repairs_an_archive_ends_its_conditions(sqlite_installation: Settings) -> None:
    received("process-1", sample_body("process-1"))
    archived("process-1")
    damaged_file("process-1")
    checked("process-1")
    assert conditions.references() == {"process-1"}

    received("process-1", sample_body("process-1"))

    assert archived("process-1").conditions == []


def test_complete_run_of_an_archive_that_stays_damaged_keeps_the_tag_attention(sqlite_installation: Settings) -> None:
    received("process-1", sample_body("process-1"))
    archived("process-1")
    store().overwrite_bytes(b"", f"{ocfl.object_key('process-1')}/strange")
    checked("process-1")

    run = asyncio.run(_run_created("process-1", TAGS_OF_SAMPLE))

    assert (run.state_name, "attention" in run.tags) == ("Completed", True)
    assert conditions.references() == {"process-1"}


def test_run_of_an_archive_that_was_erased_meanwhile_leaves_no_summary_and_tells_no_ground(
    sqlite_installation: Settings,
) -> None:
    received("process-1", sample_body("process-1"))
    archived("process-1")
    buried("process-1")

    run = asyncio.run(_run_created("process-1", TAGS_OF_SAMPLE))

    assert run.state_name == "Failed"
    assert "ERASED" in str(run.state and run.state.message)
    assert "Dana" not in str(run.state)
    assert asyncio.run(_artifacts(str(run.id))) == []


def test_sample_becomes_a_complete_archive(installation: Settings) -> None:
    delivery = received("process-1", sample_body())

    archive = archived("process-1", delivery.receipt_id)

    assert (archive.state, archive.process_number) == ("completed", 100)
    assert archive.template_id == "9fa70d4ccea84262b1ed2308a07a3fb4"
    assert [(each.version, each.receipt_id) for each in archive.versions] == [(1, delivery.receipt_id)]
    assert [(each.role, each.filename, each.size_bytes) for each in archive.files] == [
        ("signed_document", "SIGNEDDOCUMENT.pdf", len(PDF)),
        ("attachment", "SOMEFILENAME1.png", len(PNG)),
    ]
    assert [stored_file("process-1", each.sha256) for each in archive.files] == [PDF, PNG]
    (session,) = archive.sessions
    assert (session.id, session.transaction_number) == ("wSYqmI4xsE", 30)
    assert session.labels == {"CUSTOMER_TAG": "CUSTOMER_VALUE"}
    assert session.recipient == sample_document()["sessions"][0]["recipient"]
    assert [each.status for each in session.integrations] == ["success"]
    assert [each.signed_by for each in archive.signatures] == [{"id": "1", "name": "client"}]
    assert [(each.latitude, each.longitude) for each in archive.fields][-1] == (32.001186, 34.9413393)
    (payment,) = archive.payments
    assert (payment.amount_minor, payment.currency, payment.standing) == (2100, "ILS", "verified")
    assert (archive.warnings, archive.discrepancies, archive.notifications) == ([], [], [])
    (run,) = archive.runs
    assert (run.state, run.trigger, run.attempt, run.failed_task) == ("Completed", "rerun", 1, None)


def test_run_of_a_receipt_of_another_process_is_refused(sqlite_installation: Settings) -> None:
    other = received("process-2", sample_body("process-2"))

    with pytest.raises(Refused, match="UNKNOWN_RECEIPT"):
        asyncio.run(process_archive("process-1", other.receipt_id))


def test_damaged_body_in_the_inbox_fails_the_run_and_is_kept(sqlite_installation: Settings) -> None:
    delivery = received("process-1", sample_body())
    path = Path(settings().inbox_location) / "waiting" / f"{delivery.receipt_id}.body"
    path.write_bytes(path.read_bytes().replace(b"SOMEVALUE1", b"SOMEVALUEX"))

    state = failed_run("process-1")

    archive = archive_of("process-1")
    assert (state, archive.state, archive.files) == ("Failed", "failed", [])
    assert [(each.state, each.failed_task) for each in archive.runs] == [("Failed", "persist-files")]
    assert path.exists()


def test_run_has_a_name_and_tags_to_search_by(sqlite_installation: Settings, prefect: str) -> None:
    received("process-1", sample_body(payments=[]))
    words = TemplateWords(name=Names(en="Sale", he="מכר"))
    templates.name({"9fa70d4ccea84262b1ed2308a07a3fb4": words}, "a test", datetime.now(UTC))

    archive = archived("process-1")

    run, tasks, _ = asyncio.run(_in_prefect(archive.runs[0].flow_run_id))
    assert run.name == "process-1"
    assert set(run.tags) == {
        "reference:process-1",
        "process:100",
        "template:9fa70d4ccea84262b1ed2308a07a3fb4",
        "form:Sale",
        "attention",
    }
    assert set(run.parameters) == {"reference", "receipt_id"}
    assert {each.name.rpartition("-")[0] for each in tasks} == {
        "persist-files",
        "load-metadata",
        "reconcile-payments",
        "notify-downstream",
    }


TAGS_OF_SAMPLE = {"process:100", "template:9fa70d4ccea84262b1ed2308a07a3fb4", "reference:process-1"}


async def _run_created(name: str, tags: set[str]) -> FlowRun:
    """Create a flow run with a name and tags, run it, and return it."""
    parameters = {"reference": "process-1"}
    async with get_client() as client:
        run = await client.create_flow_run(process_archive, parameters=parameters, name=name, tags=tags)
        await run_flow_async(process_archive, flow_run=run, parameters=parameters, return_type="state")
        return await client.read_flow_run(run.id)


@pytest.mark.parametrize(
    ("name", "tags", "updates"),
    [
        pytest.param("process-1", {"reference:process-1", "trigger:webhook"}, 1, id="triggered"),
        pytest.param("process-1", TAGS_OF_SAMPLE, 0, id="retried"),
        pytest.param("process-1", TAGS_OF_SAMPLE | {"attention", "cause:KEY_AWAY"}, 1, id="retried after a failure"),
        pytest.param("process-1", TAGS_OF_SAMPLE | {"form:Old name"}, 1, id="retried after its template lost its name"),
        pytest.param("gentle-otter", {"mine"}, 3, id="started by a person"),
    ],
)
def test_run_has_the_name_and_tags_of_its_archive_by_as_few_requests_as_change_them(
    sqlite_installation: Settings, monkeypatch: pytest.MonkeyPatch, name: str, tags: set[str], updates: int
) -> None:
    received("process-1", sample_body())
    asked: list[tuple[str, bytes]] = []
    for kind, sends in ((httpx.HTTPTransport, "handle_request"), (httpx.AsyncHTTPTransport, "handle_async_request")):
        monkeypatch.setattr(kind, sends, _noted(getattr(kind, sends), asked))

    run = asyncio.run(_run_created(name, tags))

    assert (run.state_name, run.name, set(run.tags)) == (
        "Completed",
        "process-1",
        TAGS_OF_SAMPLE | tags - {"attention", "cause:KEY_AWAY", "form:Old name"},
    )
    its = f"/api/flow_runs/{run.id}"
    counted = Counter(each for each, _ in asked)
    assert [counted[each] for each in (f"POST {its}/set_state", "POST /api/artifacts/", f"GET {its}")] == [2, 1, 2]
    labels = [json.loads(body).keys() for each, body in asked if each == f"PATCH {its}"]
    assert len([each for each in labels if each & {"name", "tags"}]) == updates


def _noted(sends: Callable[..., Any], asked: list[tuple[str, bytes]]) -> Callable[..., Any]:
    def send(transport: Any, request: httpx.Request) -> Any:
        asked.append((f"{request.method} {request.url.path}", request.content))
        return sends(transport, request)

    return send


def test_manually_started_run_is_tagged_even_if_it_fails_at_once(sqlite_installation: Settings) -> None:
    run = asyncio.run(_run_created("gentle-otter", set()))

    tags = ["attention", "cause:UNKNOWN_REFERENCE", "reference:process-1"]
    assert (run.state_name, run.name, run.tags) == ("Failed", "process-1", tags)


def test_run_over_its_time_limit_fails_and_releases_its_lease(
    configure: Configure, sqlite_installation: Settings
) -> None:
    configure(run_timeout_s=0.05)
    delivery = received("process-1", sample_body(signed_document={"content": "QUJD" * (25 << 20)}))

    state = _state_after("process-1")

    assert (state.name, state.type) == ("Failed", StateType.FAILED)
    assert "RUN_TIMEOUT in persist-files: the run has worked for 0.05 s; set CELLAR_RUN" in str(state.message)
    assert list((Path(settings().store_location) / "spool").glob("*")) == []
    assert receipts.get(delivery.receipt_id).state == "failed"  # the sweep does not start it again
    archive = archive_of("process-1")
    assert [(each.state, each.failed_task) for each in archive.runs] == [("Failed", "persist-files")]
    assert leases.take(["process-1"], "the next run", 0)

    configure(run_timeout_s=3600)
    assert archived("process-1").state == "completed"


def test_archive_has_a_bounded_number_of_findings_and_the_log_only_a_few(
    sqlite_installation: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    received("process-1", sample_body(signatures=[7] * 1000, payments=[{}] * 1000))

    archive = archived("process-1")

    assert (archive.warnings_total, archive.discrepancies_total) == (201, 801)
    logged = [each for each in caplog.records if each.levelname == "WARNING"]
    assert len(logged) == 2 * MOST_LOGGED + 1


def test_artifact_describes_the_archive_without_people_or_secrets(sqlite_installation: Settings) -> None:
    received("process-1", sample_body())

    archive = archived("process-1")

    text = artifact_of(archive)
    assert all(each.sha256 in text for each in archive.files)
    assert "21.00 ILS" in text
    sample = sample_document()
    result = sample["payments"][0]["provider_transaction_result"]
    secrets = [result[name] for name in ("card_id", "session_cd", "auth_number", "cguid")]
    people = ["john@example.com", "client@example.com", "33.196944", "Arlozorov", "SOMEFILENAME1", "127.0.0.1\n"]
    assert [each for each in secrets + people if each in text] == []


def test_endpoint_gets_one_signed_message(
    configure: Configure, sqlite_installation: Settings, httpserver: HTTPServer
) -> None:
    notify(configure, httpserver)
    received("process-1", sample_body())

    archive = archived("process-1")
    again = archived("process-1")

    ((request, _),) = httpserver.log
    message = Webhook(SECRET).verify(request.data, dict(request.headers))
    assert message["type"] == "archive.completed"
    assert message["data"]["reference"] == "process-1"
    assert [(each.state, each.attempts) for each in archive.notifications] == [("delivered", 1)]
    assert again.notifications == archive.notifications


def test_discrepancy_is_in_artifact_and_message_until_it_is_explained(
    configure: Configure, sqlite_installation: Settings, httpserver: HTTPServer
) -> None:
    notify(configure, httpserver)
    dear = [sample_document()["payments"][0] | {"amount": 2500}]
    received("process-1", sample_body(payments=dear))

    archive = archived("process-1")

    (found,) = archive.discrepancies
    ((request, _),) = httpserver.log
    (discrepancy,) = json.loads(request.data)["data"]["discrepancies"]
    assert discrepancy == found.model_dump(include={"code", "transaction_id", "expected", "found", "sentence"})
    assert (discrepancy["code"], discrepancy["expected"], discrepancy["found"]) == (
        "AMOUNT_MISMATCH",
        "21.00 ILS",
        "25.00 ILS",
    )
    assert discrepancy["sentence"] in _shown(artifact_of(archive))
    assert artifact_of(archive).count("| open |") == 1

    discrepancies.explain(found.discrepancy_id, Explanation(by="Dana", why="a tip"), datetime.now(UTC))
    delivery = received("process-1", sample_body(payments=dear, labels={"another": "version"}))
    again = archived("process-1", delivery.receipt_id)

    assert artifact_of(again).count("| explained |") == 1
    assert json.loads(httpserver.log[-1][0].data)["data"]["discrepancies"] == []


def artifact_of(archive: ArchiveView) -> str:
    """Return the summary of the last run."""
    _, _, (artifact,) = asyncio.run(_in_prefect(archive.runs[-1].flow_run_id))
    return str(artifact.data)


def _shown(markdown: str) -> str:
    return markdown.replace("\\", "")


def test_run_waits_for_the_lease_of_its_process(sqlite_installation: Settings) -> None:
    received("process-1", sample_body())
    now = datetime.now(UTC)
    assert leases.take(["process-1"], "another run", 3)

    archive = archived("process-1")

    assert archive.runs[0].ended_at
    assert archive.runs[0].ended_at >= now + timedelta(seconds=3)


async def _in_prefect(flow_run_id: str) -> tuple[FlowRun, list[TaskRun], list[Artifact]]:
    """Return a run, its task runs and artifacts from Prefect's server, after its task runs have arrived."""
    run_id = FlowRunFilter(id=FlowRunFilterId(any_=[UUID(flow_run_id)]))
    async with get_client() as client:
        for _ in range(100):
            tasks = await client.read_task_runs(flow_run_filter=run_id)
            if len(tasks) == 4:
                break
            await asyncio.sleep(0.2)
        return await client.read_flow_run(UUID(flow_run_id)), tasks, await _artifacts(flow_run_id)


async def _artifacts(flow_run_id: str) -> list[Artifact]:
    of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[UUID(flow_run_id)]))
    async with get_client() as client:
        return [each for each in await client.read_artifacts(artifact_filter=of_run) if each.type == "markdown"]
