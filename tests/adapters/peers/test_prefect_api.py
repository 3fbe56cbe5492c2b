"""Prefect's API: each attempt has one run, and every kind of outage is Transient."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun as PrefectRun
from prefect.client.schemas.objects import State, StateType
from prefect.states import AwaitingRetry, Cancelled, Completed, Crashed, Failed, Pending, Running
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from adapters.peers import prefect_api, prefect_erasure
from adapters.peers.prefect_api import FlowRun
from models.errors import Transient
from models.runs.receipt import Identity, Trigger
from tests.conftest import LONGEST_S, Configure, free_port, wait_until
from tests.peers import Answer, break_off, hang, listening
from tests.records import NOON, digest


@pytest.fixture(autouse=True)
def _no_deployment_is_known() -> None:
    """Clear the cache, because the peers of these tests share a URL and a deployment id."""
    prefect_api._deployment_ids.clear()


RUN = {"id": "run-1", "state": {"name": "Scheduled", "type": "SCHEDULED"}}


def created(receipt: str, attempt: int = 1, reference: str = "r", trigger: Trigger = Trigger.WEBHOOK) -> FlowRun:
    return asyncio.run(prefect_api.create_run(Identity(reference), digest(receipt), attempt, trigger))


async def _read(api_url: str, flow_run_id: str) -> PrefectRun:
    async with PrefectClient(api_url) as client:
        return await client.read_flow_run(UUID(flow_run_id))


async def _set(api_url: str, flow_run_id: str, state: State[Any]) -> None:
    async with PrefectClient(api_url) as client:
        await client.set_flow_run_state(UUID(flow_run_id), state, force=True)


async def _delete(api_url: str, flow_run_id: str) -> None:
    async with PrefectClient(api_url) as client:
        await client.delete_flow_run(UUID(flow_run_id))


@pytest.mark.parametrize("ahead_s", [-86400, 0, 86400])
def test_time_of_prefect_is_that_of_its_answers(configure: Configure, ahead_s: int) -> None:
    configure(PREFECT_API_URL=f"http://127.0.0.1:{free_port()}/api")

    prefect_api.note_time({"date": formatdate(time.time() + ahead_s, usegmt=True)})

    assert abs(prefect_api.now().timestamp() - time.time() - ahead_s) < LONGEST_S


def test_run_has_name_parameters_and_tags_to_search_by(deployment: str) -> None:
    run = created("named", reference="תהליך 1/x", trigger=Trigger.SWEEP)

    found = asyncio.run(_read(deployment, run.flow_run_id))
    assert found.name == "תהליך 1/x"
    assert found.parameters == {"reference": "תהליך 1/x", "receipt_id": digest("named")}
    assert set(found.tags) == {"reference:תהליך 1/x", "trigger:sweep"}
    assert (run.state, run.ended) == ("Scheduled", False)


@pytest.mark.parametrize("reference", ["x" * 255, "🙂" * 255, "../..", '"', "\n"])
def test_any_reference_may_name_a_run(deployment: str, reference: str) -> None:
    run = created(f"for {reference}", reference=reference)

    assert asyncio.run(_read(deployment, run.flow_run_id)).parameters["reference"] == reference


@pytest.mark.usefixtures("deployment")
def test_each_attempt_has_its_own_run() -> None:
    first, again, second, other = created("a"), created("a"), created("a", attempt=2), created("b")

    assert first == again
    assert len({each.flow_run_id for each in (first, second, other)}) == 3


@pytest.mark.usefixtures("deployment")
def test_concurrent_triggers_of_an_attempt_create_one_run() -> None:
    """On SQLite, Prefect answers 503 to many of these requests; they are retried."""

    async def trigger() -> list[FlowRun]:
        return await asyncio.gather(
            *(prefect_api.create_run(Identity("r"), digest("c"), 1, Trigger.SWEEP) for _ in range(6))
        )

    assert len({each.flow_run_id for each in asyncio.run(trigger())}) == 1


def test_deployment_is_looked_up_once_and_again_after_its_recreation(
    configure: Configure, httpserver: HTTPServer
) -> None:
    configure(PREFECT_API_URL=httpserver.url_for("/api"))
    peer(httpserver, refusals=0)
    for attempt in range(3):
        created("a", attempt)
    assert requests_of(httpserver) == [LOOK_UP, *["/api/deployments/d/create_flow_run"] * 3]

    httpserver.clear()
    httpserver.expect_request("/api/deployments/d/create_flow_run").respond_with_json({}, status=404)
    peer(httpserver, refusals=0, deployment_id="new")

    assert created("b") == created("b") == FlowRun("run-1", "Scheduled", False)
    again = ["/api/deployments/d/create_flow_run", LOOK_UP, *["/api/deployments/new/create_flow_run"] * 2]
    assert requests_of(httpserver) == again


def test_recreated_deployment_gets_the_next_runs(deployment: str) -> None:
    created("before")
    asyncio.run(_make_anew(deployment))

    assert not created("after").ended


async def _make_anew(api_url: str) -> None:
    async with PrefectClient(api_url) as client:
        known = await client.read_deployment_by_name(prefect_api.DEPLOYMENT)
        await client.delete_deployment(known.id)
        await client.create_deployment(known.flow_id, known.name, entrypoint="nowhere:nothing")


def test_ended_and_unknown_runs_are_not_on_their_way(deployment: str) -> None:
    waiting, running, crashed = (created(f"asked {number}").flow_run_id for number in range(3))
    asyncio.run(_set(deployment, running, Running()))
    asyncio.run(_set(deployment, crashed, Crashed()))

    asked = {waiting, running, crashed, str(uuid4())}
    assert asyncio.run(prefect_api.on_their_way(asked)) == {waiting, running}
    assert asyncio.run(prefect_api.on_their_way([])) == set()


def test_on_their_way_handles_more_runs_than_a_page_of_prefect(deployment: str) -> None:
    first, last = created("first").flow_run_id, created("last").flow_run_id
    many = [first, *(str(uuid4()) for _ in range(500)), last]

    assert asyncio.run(prefect_api.on_their_way(many)) == {first, last}


@pytest.mark.parametrize(
    ("state", "ended"),
    [(Completed(), True), (Failed(), True), (Crashed(), True), (Cancelled(), True), (Running(), False)],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_create_run_reports_whether_the_run_has_ended(deployment: str, state: State[Any], ended: bool) -> None:
    run = created(f"ended {state.name}")
    asyncio.run(_set(deployment, run.flow_run_id, state))

    assert created(f"ended {state.name}") == FlowRun(run.flow_run_id, str(state.name), ended)


def test_waiting_run_is_made_due_and_keeps_its_message(deployment: str) -> None:
    later = datetime.now(UTC) + timedelta(minutes=15)
    waits = created("waits").flow_run_id
    asyncio.run(_set(deployment, waits, AwaitingRetry(scheduled_time=later, message="Waiting for the store.")))

    assert asyncio.run(prefect_api.make_due([asyncio.run(prefect_api.read_run(waits))])) == 1

    run = asyncio.run(_read(deployment, waits))
    assert run.state
    assert (run.state.type, run.state.message) == (StateType.SCHEDULED, "Waiting for the store.")
    assert run.next_scheduled_start_time
    assert run.next_scheduled_start_time < later


@pytest.mark.parametrize(
    "since",
    [Pending(), Running(), Completed(), Cancelled(), None],
    ids=lambda state: state.name if state else "deleted",
)
def test_run_that_waits_no_longer_stays_as_it_is(deployment: str, since: State[Any] | None) -> None:
    """A worker, or a person, may be faster than the request that makes a run due. None: it is deleted."""
    flow_run_id = created(f"taken {since and since.name}").flow_run_id
    later = datetime.now(UTC) + timedelta(minutes=15)
    asyncio.run(_set(deployment, flow_run_id, AwaitingRetry(scheduled_time=later)))
    waits = asyncio.run(prefect_api.read_run(flow_run_id))
    asyncio.run(_set(deployment, flow_run_id, since) if since else _delete(deployment, flow_run_id))

    assert asyncio.run(prefect_api.make_due([waits])) == 1

    if since:
        assert asyncio.run(_read(deployment, flow_run_id)).state_name == since.name


def test_server_is_healthy(deployment: str) -> None:
    assert deployment
    assert asyncio.run(prefect_api.is_healthy())


def test_server_that_is_down_is_transient(configure: Configure) -> None:
    configure(PREFECT_API_URL="http://127.0.0.1:1/api")

    with pytest.raises(Transient):
        created("a")
    with pytest.raises(Transient):
        asyncio.run(prefect_api.on_their_way({str(uuid4())}))
    assert not asyncio.run(prefect_api.is_healthy())


_OWN_TIMEOUT_OF_PREFECT_S = 60
"""How long Prefect's client waits for an answer by itself: PREFECT_API_REQUEST_TIMEOUT."""


@pytest.mark.parametrize("answer", [hang, break_off])
def test_server_without_an_answer_is_transient_after_the_timeout(configure: Configure, answer: Answer) -> None:
    async def call() -> None:
        async with listening(answer) as url:
            configure(PREFECT_API_URL=f"{url}/api")
            await prefect_api.create_run(Identity("r"), digest("a"), 1, Trigger.WEBHOOK, timeout_s=3)

    with pytest.raises(Transient):
        asyncio.run(asyncio.wait_for(call(), _OWN_TIMEOUT_OF_PREFECT_S / 2))


LOOK_UP = "/api/deployments/name/process-archive/archive"


def requests_of(httpserver: HTTPServer) -> list[str]:
    return [request.path for request, _ in httpserver.log]


def peer(httpserver: HTTPServer, refusals: int, status: int = 503, deployment_id: str = "d") -> list[str]:
    """Make a Prefect server refuse to create a run `refusals` times; return the log of refusals."""
    log: list[str] = []

    def create(request: Request) -> Response:
        if len(log) < refusals:
            log.append(request.get_data(as_text=True))
            return Response(status=status)
        return Response(json.dumps(RUN), status=201, content_type="application/json")

    httpserver.expect_request(LOOK_UP).respond_with_json({"id": deployment_id})
    path = f"/api/deployments/{deployment_id}/create_flow_run"
    httpserver.expect_request(path, method="POST").respond_with_handler(create)
    return log


def test_busy_server_gets_the_same_request_again(configure: Configure, httpserver: HTTPServer) -> None:
    configure(PREFECT_API_URL=httpserver.url_for("/api"))
    log = peer(httpserver, refusals=1)

    assert created("a") == FlowRun("run-1", "Scheduled", False)

    last, _ = httpserver.log[-1]
    assert log == [last.get_data(as_text=True)]


def test_server_that_stays_busy_is_transient(configure: Configure, httpserver: HTTPServer) -> None:
    configure(PREFECT_API_URL=httpserver.url_for("/api"))
    log = peer(httpserver, refusals=1000)

    with pytest.raises(Transient, match="503"):
        created("a")
    assert 1 < len(log) < 20


@pytest.mark.parametrize("status", [401, 422, 500])
def test_other_refusal_is_transient_and_not_retried(configure: Configure, httpserver: HTTPServer, status: int) -> None:
    configure(PREFECT_API_URL=httpserver.url_for("/api"))
    log = peer(httpserver, refusals=1000, status=status)

    with pytest.raises(Transient, match=str(status)):
        created("a")
    assert len(log) == 1


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("{}", 404),  # the worker makes the deployment, and may start after the first archive arrives
        *((text, 200) for text in ("<html>Welcome</html>", "{}", "[]", "null", '{"id": "run-1", "state": null}')),
    ],
)
def test_server_without_the_deployment_or_other_than_prefect_is_transient(
    configure: Configure, httpserver: HTTPServer, text: str, status: int
) -> None:
    configure(PREFECT_API_URL=httpserver.url_for("/api"))
    httpserver.expect_request(LOOK_UP).respond_with_data(text, status)
    httpserver.expect_request("/api/deployments/run-1/create_flow_run").respond_with_data(text)

    with pytest.raises(Transient, match="404" if status == 404 else None):
        created("a")


def test_password_is_sent_to_the_server(configure: Configure, httpserver: HTTPServer) -> None:
    configure(PREFECT_API_URL=httpserver.url_for("/api"), PREFECT_API_AUTH_STRING="admin:pass:word")
    peer(httpserver, refusals=0)

    created("a")

    assert {request.headers.get("authorization") for request, _ in httpserver.log} == {"Basic YWRtaW46cGFzczp3b3Jk"}


def test_server_of_its_own_forgets_runs_logs_and_artifacts_of_an_archive(deployment: str) -> None:
    reference, key = "forget me", prefect_erasure.summary_key("forget me")
    names = (("a", reference), ("b", reference), ("c", "s"))
    known, unknown, other = (created(name, reference=of) for name, of in names)
    with httpx.Client(base_url=deployment, timeout=LONGEST_S) as client:

        def found(kind: str, **wanted: Any) -> list[Any]:
            answer: list[Any] = client.post(f"/{kind}/filter", json=wanted).raise_for_status().json()
            return answer

        for _ in range(2):  # each run makes another version
            client.post("/artifacts/", json={"key": key, "type": "markdown", "data": reference}).raise_for_status()
        line = {"name": "l", "level": 20, "message": "m", "timestamp": NOON.isoformat()}
        for run in (known, other):
            client.post("/logs/", json=[line | {"flow_run_id": run.flow_run_id}]).raise_for_status()

        for _ in range(2):
            prefect_erasure.forget(reference, [reference], str.upper, [known.flow_run_id])

        wait_until(lambda: not found("logs", logs={"flow_run_id": {"any_": [known.flow_run_id]}}))
        assert len(found("logs", logs={"flow_run_id": {"any_": [other.flow_run_id]}})) == 1
        assert found("artifacts", artifacts={"key": {"any_": [key]}}) == []
    ids = [each.flow_run_id for each in (known, unknown, other)]
    assert asyncio.run(prefect_api.known(ids)).keys() == {other.flow_run_id}
