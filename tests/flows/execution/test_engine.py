"""Prefect's internals that we use. These tests fail if a release changes them. Prefect is pinned to this release."""

import asyncio
import inspect
import re
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from threading import get_ident
from uuid import uuid4

import aiosqlite
import prefect
import pytest
from docket import Docket
from fastapi.dependencies import utils
from prefect import flow_engine
from prefect.client.schemas.objects import FlowRun
from prefect.server.api import workers
from prefect.server.database.configurations import AioSqliteConfiguration
from prefect.server.database.orm_models import FlowRun as FlowRunRow
from prefect.server.database.orm_models import Log, WorkQueue
from prefect.server.events.schemas.events import Event, ReceivedEvent
from prefect.server.models import flow_runs
from prefect.server.models.work_queues import mark_work_queues_ready
from prefect.server.orchestration.global_policy import EnsureFlowRunStateTimestampIsUnique
from prefect.states import Scheduled
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import create_async_engine

from cli.programs import prefect_server
from flows.execution.engine import Execution, Interruption, _Engine
from flows.process_archive import process_archive


def test_prefect_is_the_pinned_release() -> None:
    assert prefect.__version__ == "3.9.1"


def test_execution_matches_the_loop_of_prefects_own_function() -> None:
    """`Execution.run` repeats this loop, because Prefect's function accepts no engine."""
    source = inspect.getsource(flow_engine.run_flow_async)
    loop = source[source.index("    async with engine.start()") : source.index("    return ")]
    assert [line.strip() for line in loop.strip().splitlines()] == [
        "async with engine.start():",
        "while engine.is_running():",
        "async with engine.run_context():",
        "await engine.call_flow_fn()",
    ]


def test_engine_has_the_members_that_are_overridden_and_used() -> None:
    engine = flow_engine.AsyncFlowRunEngine
    assert list(inspect.signature(engine.handle_crash).parameters) == ["self", "exc"]
    assert list(inspect.signature(engine.set_state).parameters) == ["self", "state", "force"]
    assert {"flow", "flow_run", "parameters", "short_circuit"} <= {field.name for field in fields(engine)}
    assert "self.handle_crash(exc)" in inspect.getsource(engine.initialize_run)


def test_run_without_a_deployment_is_not_watched_for_suspension() -> None:
    """The watch takes a thread and a websocket per run. The engine starts it only for runs with a deployment."""
    source = inspect.getsource(flow_engine.BaseFlowRunEngine.setup_flow_run_suspension_request)
    assert "if self.flow_run.deployment_id:" in source
    flow_run = FlowRun(flow_id="00000000-0000-0000-0000-000000000001", deployment_id="0" * 31 + "2")
    execution = Execution(process_archive, flow_run)
    assert execution._engine.taken.deployment_id is None
    assert execution.flow_run.deployment_id is not None


def test_engine_creates_no_run_if_it_has_one() -> None:
    """An engine without a run creates one before it does anything else."""
    source = inspect.getsource(flow_engine.AsyncFlowRunEngine.initialize_run)
    asks = source.index("self.flow_run = await self.create_flow_run(self.client)")
    assert source[:asks].rstrip().endswith("if not self.flow_run:")
    assert "await" not in source[:asks]
    assert asks < source.index("else:") < source.index("await self.client.update_flow_run(")


def test_interruption_before_the_start_is_not_lost() -> None:
    execution = Execution(process_archive, FlowRun(flow_id="00000000-0000-0000-0000-000000000001"))
    execution.interrupt(Interruption.CANCELLED)
    execution.interrupt(Interruption.HANDED_BACK)
    assert execution.interruption is Interruption.CANCELLED
    assert not _Engine.has_reported


def test_run_that_has_not_begun_is_not_over() -> None:
    """The run was scheduled when its worker received it, and is Pending at execution. It is not due again."""
    flow_run = FlowRun(flow_id="00000000-0000-0000-0000-000000000001", state=Scheduled())
    assert not Execution(process_archive, flow_run).is_over


def test_transaction_of_sqlite_stays_in_the_loop_and_rows_outside_of_one_get_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`cli.programs.prefect_server` takes the place of SQLAlchemy's cursor. Prefect begins a transaction DEFERRED."""
    assert 'else "DEFERRED")' in inspect.getsource(AioSqliteConfiguration.begin_transaction)
    assert 'f"BEGIN {mode}"' in inspect.getsource(AioSqliteConfiguration.begin_sqlite_stmt)
    monkeypatch.setattr(AsyncAdapt_aiosqlite_connection, "_cursor_cls", prefect_server._Cursor)

    async def threads() -> list[bool]:
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'rows'}", isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert isinstance(driver, aiosqlite.Connection)
            await driver.create_function("thread", 0, get_ident)
            outside = (await connection.exec_driver_sql("SELECT thread()")).scalar()
            await connection.exec_driver_sql("CREATE TABLE row (number)")
            for number in (1, 3):
                rows = [(number,), (number + 1,)]
                await connection.exec_driver_sql("INSERT INTO row VALUES (?)", rows)
            inside = (await connection.exec_driver_sql("SELECT thread() FROM row")).scalars().all()
            await driver.rollback()
            assert (await connection.exec_driver_sql("SELECT * FROM row")).all() == []
            with pytest.raises(OperationalError, match="no such table"):
                await connection.exec_driver_sql("SELECT * FROM missing")
            await connection.exec_driver_sql("BEGIN DEFERRED")
            async with engine.connect() as other:
                await other.exec_driver_sql("PRAGMA busy_timeout = 0")
                with pytest.raises(OperationalError, match="locked"):
                    await other.exec_driver_sql("BEGIN IMMEDIATE")
        await engine.dispose()
        return [each == get_ident() for each in (outside, *inside)]

    assert asyncio.run(threads()) == [False, True, True, True, True]


def test_rows_of_an_insert_become_parameters() -> None:
    """The event of a session executes them."""
    for kind in (sqlite.Insert, postgresql.Insert):
        inserting = prefect_server._taking_rows(kind)(None, Log)
        assert str(inserting.values([{"name": "a"}, {"name": "b"}])) == str(inserting)
        assert inserting.values([{"name": "a"}]).on_conflict_do_nothing().rows == [{"name": "a"}]
        assert inserting.values(name="a").compile().params["name"] == "a"


def test_what_serves_no_client_of_ours_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Docket, "add", Docket.add)
    monkeypatch.setitem(vars(utils), "run_in_threadpool", None)
    kept = EnsureFlowRunStateTimestampIsUnique.before_transition
    monkeypatch.setattr(EnsureFlowRunStateTimestampIsUnique, "before_transition", kept)
    prefect_server.leave_out()

    async def marks() -> list[bool]:
        async with Docket("marks", url="memory://marks") as docket:
            queue, other = uuid4(), uuid4()
            marks = {name: docket.add(mark_work_queues_ready, key=name) for name in "abc"}
            polled = zip(marks.values(), [queue, queue, other], strict=True)
            done = [await mark(polled_work_queue_ids=[], ready_work_queue_ids=[each]) for mark, each in polled]
            return [each is not None for each in done]

    assert asyncio.run(marks()) == [True, False, True]
    assert {"mark_work_queues_ready", "mark_deployments_ready"} <= vars(workers).keys()
    assert "await run_in_threadpool(call, **solved_result.values)" in inspect.getsource(utils.solve_dependencies)


def test_run_is_read_with_state_queue_and_pool_in_one_statement_and_an_event_once() -> None:
    asked = "selectinload(db.FlowRun.work_queue).selectinload(db.WorkQueue.work_pool)"
    source = inspect.getsource(flow_runs)
    assert source.count("selectinload(") == 2 * source.count(asked) == 6
    prefect_server.read_once()
    belonging = vars(flow_runs)["selectinload"](FlowRunRow.work_queue).selectinload(WorkQueue.work_pool)
    for asking in (select(FlowRunRow), select(FlowRunRow).options(belonging)):
        (tables,) = re.findall(r"FROM flow_run (.*)", str(asking).replace("\n", ""))
        assert re.findall(r"LEFT OUTER JOIN (\w+) AS", tables) == ["flow_run_state", "work_queue", "work_pool"]
    read = Event(occurred=datetime.now(UTC), event="e", resource={"prefect.resource.id": "r"}, id=uuid4()).receive()
    assert read == ReceivedEvent(**read.model_dump())
    text = read.model_dump_json().encode()
    assert ReceivedEvent.model_validate_json(text) is ReceivedEvent.model_validate_json(text) == read
