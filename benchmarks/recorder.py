"""`python -m benchmarks.recorder`: the rate at which Prefect's recorder of task runs saturates.

The events of task runs, as a worker's client sends them, reach an embedded server that does nothing else. The time from
the first event until the last task run is seen in its database counts. One process records them all, however many
servers there are.
"""

import argparse
import asyncio
import json
import sqlite3
import time
from contextlib import ExitStack, closing
from pathlib import Path
from uuid import uuid4

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State, TaskRun
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Pending, Running
from prefect.utilities.engine import emit_task_run_state_change_event

from adapters.settings.environment import prefect_file
from benchmarks import machine
from benchmarks.engine import set_up_process
from benchmarks.installations import _client, _prefect_server, _settings, _until
from benchmarks.programs import running
from benchmarks.recording import TASKS_OF_A_RUN
from cli.programs import up

_LOOK_EACH_S = 0.2


def _nothing() -> None: ...


async def measure(folder: Path, runs: int) -> float:
    """Return the task runs that a new server records in a second."""
    settings = _settings(folder / "data", None)
    settings.data_dir.mkdir(parents=True)
    with ExitStack() as held:
        server = held.enter_context(running(_prefect_server(settings, None), folder))
        async with _client(settings.prefect_url, settings.prefect_auth) as prefect:
            await _until(lambda: up._answers(prefect, "/health"), server)
        login = {PREFECT_API_AUTH_STRING: settings.active_prefect_auth_string()}
        held.enter_context(temporary_settings({PREFECT_API_URL: settings.prefect_url} | login))
        async with get_client() as client:
            made = [await client.create_flow_run(Flow(_nothing, name="recorded")) for _ in range(runs)]
        began_s = time.monotonic()
        for flow_run in made:
            _send(flow_run)
        await asyncio.to_thread(_wait_for, prefect_file(settings), runs * TASKS_OF_A_RUN)
        return runs * TASKS_OF_A_RUN / (time.monotonic() - began_s)


def _send(flow_run: FlowRun) -> None:
    for number in range(TASKS_OF_A_RUN):
        task_run = TaskRun(
            id=uuid4(), flow_run_id=flow_run.id, task_key=f"task-{number}", dynamic_key="0", name="t", state=Pending()
        )
        before, event = None, None
        states: list[State[None]] = [Pending(), Running(), Completed()]
        for state in states:
            task_run.state, task_run.state_type, task_run.state_name = state, state.type, state.name
            state.state_details.task_run_id, state.state_details.flow_run_id = task_run.id, flow_run.id
            event = emit_task_run_state_change_event(task_run, before, state, event)
            before = state


def _wait_for(database: Path, task_runs: int) -> None:
    while _recorded(database) < task_runs:
        time.sleep(_LOOK_EACH_S)


def _recorded(database: Path) -> int:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM task_run WHERE state_type = 'COMPLETED'")
        return int(count)


def main(runs: int) -> None:
    set_up_process()
    with machine.work_folder() as folder:
        rate = asyncio.run(measure(folder, runs))
    print(json.dumps({"task_runs_per_s": round(rate), "archives_per_s": round(rate / TASKS_OF_A_RUN, 1)}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=500)
    main(parser.parse_args().runs)
