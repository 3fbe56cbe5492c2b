"""Housekeeping begins before its run, in a worker inside the test's process."""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound
from prefect.states import Scheduled

from adapters.observation.metrics import WORKER
from adapters.settings.settings import Settings
from flows.deliver_messages import deliver_messages
from flows.execution.engine import BY_ITSELF, Execution, Interruption
from flows.find_missing import find_missing
from flows.import_reports import import_reports
from flows.sweep_inbox import sweep_inbox
from flows.worker.housekeeping import Housekeeping
from models.messages.notification import Event, EventType
from services.messages.events import announce
from services.messages.known import known_endpoints
from tests.conftest import LONGEST_S, wait_until
from tests.flows.test_refused_deliveries import TRUNCATED, refuse
from tests.flows.workers import Downstream, wait_for, worker_here

pytestmark = pytest.mark.usefixtures("downstream")


def ended_well_at_s() -> float:
    return WORKER.get_sample_value("cellar_housekeeping_timestamp_seconds", {"flow": import_reports.name}) or 0


def due_in(hours: int) -> "State[Any]":
    return Scheduled(scheduled_time=datetime.now(UTC) + timedelta(hours=hours))


async def end_of(client: PrefectClient, deployment_id: UUID, *tags: str, **of_run: Any) -> tuple[str, str] | None:
    """Make a run and return its name and state at its end; None if it is gone."""
    made = await client.create_flow_run_from_deployment(deployment_id, tags=tags, **of_run)
    async with asyncio.timeout(LONGEST_S):
        while True:
            try:
                run = await client.read_flow_run(made.id)
            except ObjectNotFound:
                return None
            if run.state and run.state.is_final():
                return run.name, run.state.name or ""
            await asyncio.sleep(0.1)


def test_only_housekeeping_that_did_something_or_was_asked_for_leaves_a_run_with_a_name_that_says_what_it_did() -> None:
    async def _ends() -> list[tuple[str, str] | None]:
        async with get_client() as client, worker_here(client, sweep_inbox) as sweep:
            ends = [await end_of(client, sweep, BY_ITSELF), await end_of(client, sweep)]
            refuse(b"<", TRUNCATED, 0)
            return [*ends, await end_of(client, sweep, BY_ITSELF)]

    nothing, asked, refused = asyncio.run(_ends())

    assert (nothing, asked) == (None, ("nothing to do", "Completed"))
    assert refused == ("listed 1 refusal; announced 1 refusal message", "Completed")


def test_outage_shows_once_and_so_does_its_end(configure: Callable[..., Settings], tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    reports.touch()  # as a mount that has gone leaves something else there
    configure(settlements_url=reports)

    def _restore() -> None:
        reports.unlink()
        reports.mkdir()

    async def _ends() -> list[tuple[str, str] | None]:
        async with get_client() as client, worker_here(client, import_reports) as look:
            before_s = ended_well_at_s()
            ends = [await end_of(client, look, BY_ITSELF), await end_of(client, look, BY_ITSELF)]
            assert ended_well_at_s() == before_s
            await asyncio.to_thread(_restore)
            ends.append(await end_of(client, look, BY_ITSELF))
            assert ended_well_at_s() > before_s
            return [*ends, await end_of(client, look, BY_ITSELF)]

    failed, ended = ("import settlement reports", "Failed"), ("nothing to do", "Completed")
    assert asyncio.run(_ends()) == [failed, None, ended, None]


def test_run_that_was_due_before_the_same_work_began_leaves_nothing(
    configure: Callable[..., Settings], tmp_path: Path
) -> None:
    """After an outage of the database, thousands of runs are due."""
    report = tmp_path / "reports" / "report.csv"
    report.parent.mkdir()
    report.write_text("wrong")
    os.utime(report, (0, 0))  # it was written long ago
    configure(settlements_url=report.parent)

    async def _ends() -> list[tuple[str, str] | None]:
        async with get_client() as client, worker_here(client, import_reports) as look:
            late = [await end_of(client, look, BY_ITSELF, state=due_in(hours)) for hours in (-3, -2, -1)]
            now = await end_of(client, look, BY_ITSELF)
            await asyncio.to_thread(report.unlink)
            return [*late, now, await end_of(client, look, BY_ITSELF)]

    failed = ("import settlement reports", "Failed")
    assert asyncio.run(_ends()) == [failed, None, None, failed, ("nothing to do", "Completed")]


def test_parameters_that_the_work_does_not_take_fail_the_run() -> None:
    async def _end() -> tuple[str, str] | None:
        async with get_client() as client, worker_here(client, sweep_inbox) as sweep:
            return await end_of(client, sweep, BY_ITSELF, parameters={"nobody": 1})

    end = asyncio.run(_end())
    assert end
    assert end[1] == "Failed"


def test_run_that_another_worker_may_execute_is_not_deleted() -> None:
    async def _is_left() -> bool:
        async with get_client() as client, worker_here(client, find_missing) as find:
            planned = await client.create_flow_run_from_deployment(find, tags=[BY_ITSELF], state=due_in(1))
            execution = Execution(find_missing, planned)
            execution.interrupt(Interruption.LOST)
            leaves_none = await Housekeeping(client).leaves_no_run(execution)
            return leaves_none and (await client.read_flow_run(planned.id)).state_name == "Scheduled"

    assert asyncio.run(_is_left())


def test_work_that_takes_longer_is_a_run_meanwhile(downstream: Downstream) -> None:
    [endpoint] = known_endpoints()
    announce(Event(EventType.STORE_DAMAGED, "found-1", datetime.now(UTC), b'{"type":"store.damaged"}'))
    downstream.hold()

    async def _name() -> str:
        async with get_client() as client, worker_here(client, deliver_messages) as deliver:
            made = await client.create_flow_run_from_deployment(
                deliver, parameters={"endpoint": endpoint.name}, tags=[BY_ITSELF]
            )
            await asyncio.to_thread(wait_for, str(made.id), "Running")
            assert (await client.read_flow_run(made.id)).name == f"deliver to {endpoint.name}"
            downstream.let_go()
            await asyncio.to_thread(wait_for, str(made.id), "Completed")
            return (await client.read_flow_run(made.id)).name

    assert asyncio.run(_name()) == f"delivered 1 message to {endpoint.name}"
    wait_until(lambda: len(downstream.asked) == 1)
