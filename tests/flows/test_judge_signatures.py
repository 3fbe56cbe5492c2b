"""After a change of the trust roots, the nightly flow judges signed documents again, some each night."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook

from adapters.settings.settings import Settings
from flows.judge_signatures import judge_signatures
from services.custody.judging_again import count_due
from tests import pdfs
from tests.conftest import Configure
from tests.installations import archived
from tests.messages import SECRET, message_of, notify
from tests.samples import PDF
from tests.services.custody.test_judging_again import (
    BROKEN,
    body_with,
    recorded_verdict_on,
    rewritten,
    shown,
    with_root,
)

pytestmark = pytest.mark.usefixtures("prefect")


@pytest.fixture(autouse=True)
def _installation(configure: Configure, sqlite_installation: Settings, httpserver: HTTPServer) -> None:
    notify(configure, httpserver)


def judged(most: int = 10_000) -> list[Any]:
    """Run the flow, and return the tables that it has left in Prefect."""

    async def _judged() -> list[Any]:
        ended = await judge_signatures(most, return_state=True)
        assert ended.is_completed()
        of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[ended.state_details.flow_run_id]))
        async with get_client() as client:
            found = await client.read_artifacts(artifact_filter=of_run)
        return [json.loads(str(each.data)) for each in found if each.key == "judged-differently"]

    return asyncio.run(_judged())


def messages_to(httpserver: HTTPServer) -> list[Any]:
    for request, _ in httpserver.log:
        Webhook(SECRET).verify(request.data, dict(request.headers.items()))
    return [message_of(request.data) for request, _ in httpserver.log]


def test_unchanged_roots_judge_nothing(httpserver: HTTPServer) -> None:
    archived("process-1", body_with(pdfs.signed(pdfs.form())))

    assert (judged(), messages_to(httpserver)) == ([], [])
    assert shown().judgements == []


def test_new_roots_are_applied_to_some_archives_each_night(
    configure: Configure, tmp_path: Path, httpserver: HTTPServer
) -> None:
    for number in range(3):
        archived(f"process-{number}", body_with(pdfs.signed(pdfs.form()), f"process-{number}"))
    with_root(configure, tmp_path)

    assert [len(table) for table in judged(2)] == [2]
    assert count_due() == 1
    assert [len(table) for table in judged(2)] == [1]
    assert count_due() == 0
    assert judged(2) == []
    assert [shown(f"process-{number}").judgements[0].trusted for number in range(3)] == [True] * 3
    assert messages_to(httpserver) == []


def test_document_that_is_judged_worse_is_listed_and_notified(
    configure: Configure, tmp_path: Path, httpserver: HTTPServer
) -> None:
    with_root(configure, tmp_path)
    archived("process-1", body_with(pdfs.signed(pdfs.form())))
    with_root(configure, tmp_path, "Another root")

    ((row,),) = judged()

    expected = {"reference": "process-1", "version": 1, "before": "sound, trusted", "now": "sound, not trusted"}
    assert row == expected | {"": "worse"}
    (message,) = messages_to(httpserver)
    assert (message["type"], message["data"]["documents"]) == ("documents.judged_worse", [expected])
    assert message["data"]["documents_in_all"] == 1
    assert pdfs.SIGNER_NAME not in json.dumps(message, ensure_ascii=False)


def test_rewritten_verdict_is_notified_even_if_nothing_became_worse(
    configure: Configure, tmp_path: Path, httpserver: HTTPServer
) -> None:
    archived("process-1", body_with(BROKEN))
    with_root(configure, tmp_path, "Another root")
    judged()
    rewritten(**recorded_verdict_on(PDF))
    httpserver.clear_log()
    with_root(configure, tmp_path)

    judged()

    (message,) = messages_to(httpserver)
    assert (message["data"]["documents"], message["data"]["contradictions"] > 0) == ([], True)
