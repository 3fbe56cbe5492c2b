"""A summary that fails neither fails its run nor hides that messages are not confirmed."""

import asyncio
from collections.abc import Callable

import pytest
from prefect import flow
from prefect.artifacts import acreate_markdown_artifact
from pytest_httpserver import HTTPServer

from adapters.files.store import store
from adapters.store import ocfl, seals
from adapters.store.ocfl import SKELETON
from flows.execution.results import RESULTS
from flows.execution.tasks import optional_summary
from tests.conftest import Configure
from tests.flows.retried import run_and_retried
from tests.installations import archive_of
from tests.messages import notify

pytestmark = pytest.mark.usefixtures("prefect", "sqlite_installation")


def lose_key() -> None:
    store().remove(seals.key_location("process-1"))


def damage_skeleton() -> None:
    store().overwrite_bytes(b"{", _skeleton())


def lose_skeleton() -> None:
    store().remove(_skeleton())


def _skeleton() -> str:
    return next(key for key, _ in store().listed(ocfl.ROOT) if key.endswith(SKELETON))


@pytest.mark.parametrize(
    ("harm", "error", "status"),
    [
        (lose_key, "Locked", 200),
        (lose_skeleton, "Conflict", 200),
        (damage_skeleton, "Conflict", 500),
    ],
)
def test_retry_ends_as_it_would_without_its_summary(
    configure: Configure,
    httpserver: HTTPServer,
    caplog: pytest.LogCaptureFixture,
    harm: Callable[[], None],
    error: str,
    status: int,
) -> None:
    """A run reads the archive once. Retry takes the results of finished tasks, so its summary is the first to read."""
    notify(configure, httpserver, 500)

    def harm_between() -> None:
        harm()
        httpserver.clear()
        httpserver.expect_request("/hook").respond_with_data("", status=status)

    again = "Completed" if status == 200 else "Undelivered"
    asyncio.run(run_and_retried("process-1", "Undelivered", harm_between, again=again))

    archive = archive_of("process-1")
    assert (archive.state, archive.runs[-1].state) == ("completed", "Completed")
    assert f"The run has no summary: {error}" in caplog.text


def test_summary_refused_by_prefect_fails_no_run(caplog: pytest.LogCaptureFixture) -> None:
    @flow(name="summarising", result_storage=RESULTS, persist_result=False)
    async def summarising() -> None:
        with optional_summary():
            await acreate_markdown_artifact("# Payment of Dana", key="No Key Of Prefect")

    asyncio.run(summarising())

    assert "The run has no summary: " in caplog.text
    assert "Dana" not in caplog.text
