"""The scheduled check fails and notifies people if the store is damaged, and only then."""

import asyncio
import json
import secrets
from math import nan
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import State
from pytest_httpserver import HTTPServer
from sqlmodel import col, select
from standardwebhooks import Webhook

from adapters.settings.settings import Settings
from adapters.tables import conditions
from adapters.tables.open_conditions import open_conditions
from flows import endpoints
from flows.endpoints import notify_endpoint
from flows.verify_archives import verify_archives
from models.errors import Conflict, Transient
from models.messages.notification import EventType, NotificationRow
from tests.conftest import Configure, make_tables
from tests.installations import archived, closed_url, damaged_file, database_that_is_away, store_that_does_not_answer
from tests.messages import SECRET, message_of, notify
from tests.records import all_of
from tests.samples import sample_body

pytestmark = pytest.mark.usefixtures("prefect")


@pytest.fixture(autouse=True)
def _installation(configure: Configure, sqlite_installation: Settings, store_kind: str, httpserver: HTTPServer) -> None:
    notify(configure, httpserver)
    archived("process-1", sample_body("process-1"))


def checked(share: float = 1.0) -> State[None]:
    """Return the end state of a check."""

    async def _checked() -> State[None]:
        return await verify_archives(share, return_state=True)

    return asyncio.run(_checked())


def messages_to(httpserver: HTTPServer) -> list[tuple[str, Any]]:
    """Return type and data of the messages to the endpoint, after verifying their signatures."""
    for request, _ in httpserver.log:
        Webhook(SECRET).verify(request.data, dict(request.headers.items()))
    sent = [message_of(request.data) for request, _ in httpserver.log]
    return [(each["type"], each["data"]) for each in sent]


def waiting() -> list[str]:
    """Return the types of the messages about the store that wait to be delivered."""
    is_of_store = col(NotificationRow.event).startswith("store.")
    return list(all_of(select(NotificationRow.event).where(is_of_store, NotificationRow.state == "pending")))


def shown(ended: State[None]) -> list[Any]:
    """Return the tables of damaged files that a check has left in Prefect."""

    async def _shown() -> list[Any]:
        of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[ended.state_details.flow_run_id]))
        async with get_client() as client:
            found = await client.read_artifacts(artifact_filter=of_run)
        return [json.loads(str(each.data)) for each in found if each.key == "store-damaged"]

    return asyncio.run(_shown())


def test_check_of_a_sound_store_sends_no_message(httpserver: HTTPServer) -> None:
    ended = checked()

    assert ended.is_completed()
    assert (messages_to(httpserver), shown(ended)) == ([], [])


def test_damaged_store_fails_the_run_and_notifies_the_endpoints(httpserver: HTTPServer) -> None:
    key = damaged_file("process-1")

    ended = checked()

    with pytest.raises(Conflict):
        asyncio.run(ended.aresult())
    assert messages_to(httpserver) == [("store.damaged", {"findings": 1})]
    assert shown(ended) == [[{"file": key, "fault": "damaged"}]]
    assert [(each.code, each.count) for each in open_conditions()] == [("FILE_DAMAGED", 1)]
    assert conditions.references() == {"process-1"}
    assert conditions.stored_object().checked_at


def test_smallest_share_checks_one_archive(httpserver: HTTPServer) -> None:
    for reference in ("process-2", "process-3"):
        archived(reference, sample_body(reference))
    for reference in ("process-1", "process-2", "process-3"):
        damaged_file(reference)

    ended = checked(1e-9)

    assert ended.is_failed()
    assert messages_to(httpserver) == [("store.damaged", {"findings": 1})]


@pytest.mark.parametrize("store_kind", ["folder"], indirect=True)
@pytest.mark.parametrize("share", [1.5, 0, nan, "x"])
def test_wrong_share_is_refused_and_nobody_is_notified(httpserver: HTTPServer, share: Any) -> None:
    ended = checked(share)

    assert ended.is_failed()
    assert "- share: Input should be" in str(ended.message)
    assert messages_to(httpserver) == []


def test_failed_notification_does_not_hide_the_findings(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "notify_endpoint", notify_endpoint.with_options(retries=0))
    configure(notify_urls=f"{closed_url()}/hook")
    damaged_file("process-1")

    with pytest.raises(Conflict, match="1 findings in the store"):
        asyncio.run(verify_archives())


@pytest.mark.parametrize("away", ["store", "database"])
def test_incomplete_check_fails_the_run_and_is_a_message(
    configure: Configure, store_kind: str, tmp_path: Path, away: str
) -> None:
    if away == "store":
        configure(**store_that_does_not_answer(store_kind, tmp_path))
    else:
        configure(database_url=database_that_is_away())

    with pytest.raises(Transient, match=away if away == "database" else "does not list"):
        asyncio.run(verify_archives())

    assert away == "database" or EventType.STORE_UNVERIFIED in all_of(select(NotificationRow.event))


def test_store_that_is_not_there_is_damage_from_the_first_archive_on(
    configure: Configure, store_kind: str, tmp_path: Path
) -> None:
    elsewhere = f"s3://archives/{secrets.token_hex(8)}" if store_kind == "bucket" else str(tmp_path / "elsewhere")
    configure(store_url=elsewhere)

    with pytest.raises(Conflict, match="1 findings in the store"):
        asyncio.run(verify_archives())

    assert waiting() == [EventType.STORE_DAMAGED]
    assert not (tmp_path / "elsewhere").exists()
    configure(database_url=f"sqlite:///{tmp_path}/new.db")
    make_tables()
    assert checked().is_completed()
