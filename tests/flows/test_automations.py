"""Prefect hears what cellar announces, and ordinary automations act on it: our files are taken as they are."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import pytest
import yaml
from prefect import flow
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.events.schemas.automations import AutomationCore
from prefect.server.events.schemas.automations import EventTrigger
from prefect.server.events.schemas.events import ReceivedEvent
from prefect.states import Failed, Pending
from prefect.testing.cli import invoke_and_assert
from pytest_httpserver import HTTPServer

from adapters.observation.log import reference_digest
from adapters.settings.environment import POOL
from domain.messages.bodies import process_missing, report
from flows.execution.tasks import emit
from flows.process_archive import process_archive
from models.completeness.processes import MissingProcessRow, Why
from models.messages.bodies import Damage
from models.messages.notification import Event, EventType
from tests.conftest import LONGEST_S, wait_until
from tests.flows.conftest import received
from tests.flows.workers import make_pool
from tests.samples import sample_body, sample_document

pytestmark = pytest.mark.usefixtures("prefect", "sqlite_installation")

AGAIN_AFTER_S = 4
FILES = Path(__file__).parents[2] / "deploy" / "automations"
Result = TypeVar("Result")


def asked(work: Callable[[PrefectClient], Awaitable[Result]]) -> Result:
    async def ask() -> Result:
        async with get_client() as client:
            return await work(client)

    return asyncio.run(ask())


@pytest.fixture(autouse=True)
def _without_automations(prefect: str) -> Iterator[None]:
    """Leave no automation to tests that run later on the same server."""
    yield

    async def delete(client: PrefectClient) -> None:
        for each in await client.read_automations():
            await client.delete_automation(each.id)

    asked(delete)


def heard(prefect: str, name: str, resource: str) -> list[dict[str, Any]]:
    wanted = {"event": {"name": [name]}, "resource": {"id": [resource]}}
    answer = httpx.post(f"{prefect}/events/filter", json={"filter": wanted}, timeout=LONGEST_S)
    return [dict(each) for each in answer.raise_for_status().json()["events"]]


def created(file: Path) -> None:
    """Create an automation by Prefect's own command."""
    invoke_and_assert(["automation", "create", "--from-file", str(file)], expected_code=0)


def archive(reference: str) -> str:
    """Archive a process with a payment that does not add up, and return its receipt id."""
    dear = [sample_document()["payments"][0] | {"amount": 2500}]
    delivery = received(reference, sample_body(reference, payments=dear))
    asyncio.run(process_archive(reference, delivery.receipt_id))
    return delivery.receipt_id


def test_prefect_hears_of_an_archive_and_knows_its_run(prefect: str) -> None:
    reference = f"תהליך {uuid4()}"
    receipt_id = archive(reference)
    resource = f"cellar.archive.{reference_digest(reference)}"

    for name in ("cellar.archive.completed", "cellar.archive.attention"):
        wait_until(lambda name=name: bool(heard(prefect, name, resource)))  # type: ignore[misc]

    (event,) = heard(prefect, "cellar.archive.completed", resource)
    assert event["resource"]["cellar.reference"] == reference
    assert event["payload"]["receipt_id"] == receipt_id
    assert {each["prefect.resource.role"] for each in event["related"]} >= {"flow", "flow-run"}
    assert sample_document()["sessions"][0]["recipient"]["otp_destination"]["address"] not in json.dumps(event)


def test_automation_starts_a_run_for_each_archive_once(prefect: str, tmp_path: Path) -> None:
    @flow(name=f"after-{uuid4()}")
    def after(reference: str, receipt_id: str) -> None: ...

    async def deploy(client: PrefectClient) -> str:
        return str(await client.create_deployment(await client.create_flow(after), "archive"))

    deployment = asked(deploy)
    text = (FILES / "archive-completed.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text.replace("00000000-0000-0000-0000-000000000000", deployment))
    created(tmp_path / "mine.yaml")

    async def runs(client: PrefectClient) -> list[tuple[str, str]]:
        of_deployment = DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))
        found = await client.read_flow_runs(deployment_filter=of_deployment)
        return [(each.parameters["reference"], each.parameters["receipt_id"]) for each in found]

    async def archive_another() -> None:
        await asyncio.to_thread(archive, f"process-{uuid4()}")

    asyncio.run(repeated(archive_another, lambda: bool(asked(runs))))
    before = asked(runs)
    first = f"process-{uuid4()}"
    expected = [(first, archive(first))]
    asyncio.run(process_archive(first))
    second = f"process-{uuid4()}"
    expected.append((second, archive(second)))

    wait_until(lambda: second in dict(asked(runs)))
    assert sorted(set(asked(runs)) - set(before)) == sorted(expected)
    assert len(asked(runs)) == len(set(asked(runs)))


@pytest.mark.parametrize("file", sorted(FILES.iterdir()), ids=lambda each: each.stem)
def test_prefect_takes_each_file_as_it_is(file: Path) -> None:
    created(file)


async def _fail_a_run(client: PrefectClient) -> None:
    @flow(name="any-flow-of-cellar")
    def failing() -> None: ...

    await make_pool(client)
    deployment = await client.create_deployment(await client.create_flow(failing), str(uuid4()), work_pool_name=POOL)
    run = await client.create_flow_run_from_deployment(deployment)
    await client.set_flow_run_state(run.id, Failed(message="STORE_AWAY in persist-files"), force=True)


async def _let_the_workers_go(client: PrefectClient) -> None:
    """Of a worker that has died, Prefect waits for 90 s before it says so."""
    await make_pool(client)
    await client.send_worker_heartbeat(POOL, f"going-{uuid4()}", heartbeat_interval_seconds=1)
    for each in await client.read_workers_for_work_pool(POOL):
        await client._client.delete(f"/work_pools/{POOL}/workers/{each.name}")


async def _damage_the_store(_client: PrefectClient) -> None:
    emit([report(EventType.STORE_DAMAGED, str(uuid4()), datetime.now(UTC), Damage(findings=3))])


async def _miss_a_process(_client: PrefectClient) -> None:
    now = datetime.now(UTC)
    missing = MissingProcessRow(
        missing_id="m", source="sales", process_number=4711, why=Why.EXPIRED, since=now, deadline_at=now, opened_at=now
    )
    emit([Event(EventType.PROCESS_MISSING, str(uuid4()), now, process_missing(missing, url="u", at=now))])


async def _publish_nothing(_client: PrefectClient) -> None: ...


async def _archive_with_a_discrepancy(_client: PrefectClient) -> None:
    await asyncio.to_thread(archive, f"process-{uuid4()}")


CAUSES: dict[str, tuple[Callable[[PrefectClient], Awaitable[None]], str]] = {
    "run-failed": (_fail_a_run, "any-flow-of-cellar: STORE_AWAY in persist-files"),
    "worker-gone": (_let_the_workers_go, "no worker of cellar is alive"),
    "store-damaged": (_damage_the_store, "Findings: 3"),
    "process-missing": (_miss_a_process, "Process 4711 of source sales: 0 hours left"),
    "publishing-late": (_publish_nothing, "No run of publish-tables has begun"),
    "archive-attention": (_archive_with_a_discrepancy, "/api/archives/process-"),
}


def test_each_file_has_its_cause_here() -> None:
    assert {each.stem for each in FILES.iterdir()} == {*CAUSES, "archive-completed"}


@pytest.mark.parametrize("name", CAUSES)
def test_people_are_notified_by_the_documented_change(name: str, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/people").respond_with_data("")
    cause, expected = CAUSES[name]

    async def notify(client: PrefectClient) -> None:
        people = CustomWebhookNotificationBlock(
            name="people", url=httpserver.url_for("/people"), json_data={"text": "{{subject}} {{body}}"}
        )
        block = await people.asave(f"people-{uuid4().hex}")
        changed = with_notification((FILES / f"{name}.yaml").read_text(), str(block)).replace("1800", "10")
        await client.create_automation(AutomationCore.model_validate(yaml.safe_load(changed)))
        await repeated(lambda: cause(client), lambda: bool(httpserver.log))
        await client.delete_block_document(block)

    asked(notify)

    assert expected in httpserver.log[0][0].get_json()["text"]


@pytest.mark.parametrize("name", ["publish-tables", "another"])
def test_publishing_that_is_claimed_is_not_late(prefect: str, name: str) -> None:
    """Of runs that did nothing, only this event is left."""

    @flow(name=name)
    def publish() -> None: ...

    async def claim(client: PrefectClient) -> str:
        deployment = await client.create_deployment(await client.create_flow(publish), str(uuid4()))
        run = await client.create_flow_run_from_deployment(deployment)
        await client.set_flow_run_state(run.id, Pending())
        return f"prefect.flow-run.{run.id}"

    resource = asked(claim)
    wait_until(lambda: bool(heard(prefect, "prefect.flow-run.Pending", resource)))
    (event,) = heard(prefect, "prefect.flow-run.Pending", resource)

    trigger = EventTrigger.model_validate(yaml.safe_load((FILES / "publishing-late.yaml").read_text())["trigger"])
    assert trigger.covers(ReceivedEvent.model_validate(event)) is (name == "publish-tables")


async def repeated(cause: Callable[[], Awaitable[None]], is_seen: Callable[[], bool]) -> None:
    """Repeat the cause of an event until it has its effect: Prefect takes up a new automation after a while."""
    for _ in range(LONGEST_S // AGAIN_AFTER_S):
        await cause()
        with suppress(AssertionError):
            return await asyncio.to_thread(wait_until, is_seen, timeout_s=AGAIN_AFTER_S)
    pytest.fail("the automation has done nothing")


def with_notification(text: str, block: str) -> str:
    """Change a file as docs/events.md says: `sed -e /do-nothing/d -e 's/#|/  /' -e s/BLOCK_ID/ID/`."""
    lines = (each for each in text.splitlines() if "do-nothing" not in each)
    return "\n".join(each.replace("#|", "", 1) for each in lines).replace("BLOCK_ID", block)
