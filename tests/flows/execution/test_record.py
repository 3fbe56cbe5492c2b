"""A run that fails says why, and its log has the trace of an unexpected error below the cause."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, task
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from adapters.settings.settings import Settings
from adapters.store.objects import history
from flows.execution.record import Progress, Run, recorded
from flows.execution.results import RESULTS
from flows.execution.tasks import RETRIED, attempt_at
from models.runs.receipt import Trigger
from tests.conftest import Configure
from tests.flows.conftest import received
from tests.flows.prefect_database import having, kept_by_prefect
from tests.installations import archive_of, database_that_is_away
from tests.samples import sample_body

pytestmark = pytest.mark.usefixtures("prefect")

VALUE = "4580458045804580"


@task(name="persist-files", **RETRIED)
@attempt_at("persist-files")
async def _fails(with_key: bool) -> None:
    if with_key:
        history.parsed(b"damaged", f"archives/{VALUE}/history.json")
    raise KeyError(VALUE)


@flow(name="fails", result_storage=RESULTS, persist_result=False)
async def _failing(receipt_id: str, with_key: bool) -> State[Any] | None:
    async def begun() -> Run:
        return Run(flow_run.id, 1, "process-1", receipt_id, Trigger.WEBHOOK)

    async def work(_run: Run, progress: Progress) -> None:
        progress.task = "persist-files"
        await _fails(with_key)

    ended = await recorded(Progress(), begun(), work)
    return ended[0] if ended else None


@flow(name="ends-unseen", result_storage=RESULTS, persist_result=False)
async def _ending_unseen(receipt_id: str, configure: Configure, fails: bool) -> State[Any] | None:
    async def begun() -> Run:
        return Run(flow_run.id, 1, "process-1", receipt_id, Trigger.WEBHOOK)

    async def work(_run: Run, _progress: Progress) -> None:
        configure(database_url=database_that_is_away())
        if fails:
            raise KeyError(VALUE)

    ended = await recorded(Progress(), begun(), work)
    return ended[0] if ended else None


@pytest.mark.parametrize("fails", [False, True])
def test_run_whose_end_the_database_does_not_take_is_tried_again(
    configure: Configure, sqlite_installation: Settings, fails: bool
) -> None:
    receipt_id = received("process-1", sample_body("process-1")).receipt_id

    async def _state() -> State[Any]:
        return await _ending_unseen(receipt_id, configure, fails, return_state=True)

    state = asyncio.run(_state())

    assert state.name == "AwaitingRetry"
    configure(database_url=sqlite_installation.database_location)
    assert archive_of("process-1").state == "processing"


async def _state_of(receipt_id: str, *, with_key: bool = False) -> State[Any]:
    return await _failing(receipt_id, with_key, return_state=True)


def test_unexpected_error_of_a_task_has_its_trace_in_the_log_below_the_cause(
    sqlite_installation: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = received("process-1", sample_body("process-1"))

    state = asyncio.run(_state_of(delivery.receipt_id))

    archive = archive_of("process-1")
    assert archive.cause
    assert (archive.state, archive.cause.code, archive.cause.error_class) == ("failed", "UNEXPECTED", "KeyError")
    assert state.message == str(archive.cause.code) + " in persist-files: " + archive.cause.sentence
    logged = [each.getMessage() for each in caplog.records]
    (cause,) = (at for at, each in enumerate(logged) if each.startswith("UNEXPECTED in "))
    (trace,) = (at for at, each in enumerate(logged) if each.startswith("The trace of the KeyError:"))
    assert cause < trace
    assert "raise KeyError(VALUE)" in logged[trace]


@pytest.mark.usefixtures("prefect_logs")
@pytest.mark.parametrize("with_key", [False, True])
def test_text_of_an_unexpected_error_and_the_key_of_a_damaged_file_are_nowhere(
    with_key: bool, sqlite_installation: Settings, caplog: pytest.LogCaptureFixture, prefect_home: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    delivery = received("process-1", sample_body("process-1"))

    state = asyncio.run(_state_of(delivery.receipt_id, with_key=with_key))

    archive = archive_of("process-1")
    assert archive.cause
    assert archive.cause.code == ("CONFLICT" if with_key else "UNEXPECTED")
    assert VALUE not in f"{state} {archive.cause} {caplog.text}"
    assert having(VALUE, kept_by_prefect(prefect_home)) == set()
