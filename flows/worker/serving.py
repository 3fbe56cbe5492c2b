"""Starts the worker, and stops it on a signal: the worker drains, and hands back runs that do not end in time."""

import asyncio
import signal
import sys
import time
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Any, TypeVar
from uuid import UUID

import structlog
from prefect import Flow
from prefect.client.orchestration import PrefectClient
from prefect.context import AsyncClientContext, SyncClientContext
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from adapters.files.spool import remove_leftovers
from adapters.files.store import store
from adapters.settings.settings import settings
from flows.anchor_archives import anchor_archives
from flows.backups import back_up, restore_drill
from flows.batches import drive_batch, rerun_archives
from flows.deliver_messages import deliver_messages
from flows.execution.engine import BY_ITSELF
from flows.execution.results import saved_block
from flows.find_missing import find_missing
from flows.import_archives import import_archives
from flows.import_reports import import_reports
from flows.judge_signatures import judge_signatures
from flows.notify_people import notify_people
from flows.process_archive import process_archive
from flows.publish_tables import publish_tables
from flows.reevaluate_payments import reevaluate_payments
from flows.sweep_inbox import DEPLOYMENT as SWEEP
from flows.sweep_inbox import sweep_inbox
from flows.verify_archives import verify_archives
from flows.worker.pool import set_up, until_answered
from flows.worker.prefect_queues import look_in_turns
from flows.worker.worker import AWAY, Worker, end_tasks
from models.access import Action
from models.errors import Transient

log = structlog.get_logger()
Result = TypeVar("Result")

FLOWS: Mapping[Flow[..., Any], Action] = {
    process_archive: Action.RERUN,
    reevaluate_payments: Action.DECIDE,
    import_reports: Action.DECIDE,
    import_archives: Action.RELEASE,
    sweep_inbox: Action.RERUN,
    deliver_messages: Action.REDELIVER,
    find_missing: Action.DECIDE,
    notify_people: Action.READ_TROUBLES,
    publish_tables: Action.EXPORT_TABLE,
    verify_archives: Action.READ_TROUBLES,
    judge_signatures: Action.DECIDE,
    anchor_archives: Action.READ_TROUBLES,
    back_up: Action.READ_TROUBLES,
    restore_drill: Action.READ_TROUBLES,
    rerun_archives: Action.RERUN,
    drive_batch: Action.RERUN,
}
"""The flows, and what each does for cellar itself, or for whoever may act in Prefect and starts it there."""
_GIVE_UP_AFTER_S = 20
_DEPLOYED_WITHIN_S = 90
_PAUSE_S = 2
_SIGNALS_LOOK_S = 0.5
_INTERPRETER_TURN_S = 0.001
"""How long a thread keeps the interpreter while the event loop waits for it. With Python's 5 ms, a run begins late."""
_LEFTOVER_AFTER = timedelta(days=1)  # no file takes that long to write and upload


def serve(name: str, *, sole: bool) -> None:
    """Make or update work pool and deployments, then execute flow runs until SIGTERM or SIGINT.

    After the first signal the worker drains: it takes no new run, lets the present runs end, and hands them back after
    a few seconds. A second signal hands them back at once.

    Args:
        name: the worker's name in Prefect; a worker of the same name takes its place.
        sole: whether no other worker serves the pool; then unfinished runs belong to a worker that was killed.

    Raises:
        Transient: Prefect does not answer, or refuses the deployments.
    """
    remove_leftovers(store().spool_folder, datetime.now(UTC) - _LEFTOVER_AFTER)
    sys.setswitchinterval(_INTERPRETER_TURN_S)
    look_in_turns()
    stop = _Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop.asked)
    # Not in the main thread, where Prefect's engine takes over SIGTERM and kills the run at the first signal.
    with ThreadPoolExecutor(1, thread_name_prefix="worker") as other:
        working = other.submit(asyncio.run, _work(name, sole, stop))
        # The kernel may hand a signal to another thread. Python runs its handler in this thread, once this one wakes.
        while not working.done():
            wait([working], timeout=_SIGNALS_LOOK_S)
        working.result()
    # Python's own end takes the handlers away, and a late second signal would end this process with 143.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


class _Stop:
    """Passes signals on to the event loop in the other thread."""

    def __init__(self) -> None:
        self.times = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()

    def asked(self, _number: int, _frame: FrameType | None) -> None:
        self.times += 1
        # Prefect's client may hang when its server is gone. The kernel then ends this process.
        signal.alarm(_GIVE_UP_AFTER_S)
        if self._loop:
            with suppress(RuntimeError):  # the loop has ended already, and the process ends soon
                self._loop.call_soon_threadsafe(self._changed.set)

    async def until(self, times: int) -> None:
        self._loop = asyncio.get_running_loop()
        while self.times < times:
            self._changed.clear()
            await self._changed.wait()


async def _work(name: str, sole: bool, stop: _Stop) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(64, thread_name_prefix="worker"))
    stopping = asyncio.create_task(stop.until(1))
    # No heartbeats of runs: each takes a thread and an event, the server ignores them, and claims show which runs live.
    with suppress(_StoppedEarly), temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        await _unless(stopping, until_answered())
        # Every run shares these clients. The engine would make one for each, with a TLS context that takes 10 ms.
        async with AsyncClientContext.get_or_create() as context:
            with SyncClientContext.get_or_create():
                worker = await _unless(stopping, _started(context.client, name, sole))
                await worker.work_until(stopping)
                await worker.drain(asyncio.create_task(stop.until(2)))


class _StoppedEarly(Exception):
    """A signal asked the worker to stop before it had started."""


async def _unless(stopping: "asyncio.Task[None]", work: Coroutine[Any, Any, Result]) -> Result:
    task = asyncio.create_task(work)
    await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        return await task
    await end_tasks([task])
    raise _StoppedEarly


async def _started(client: PrefectClient, name: str, sole: bool) -> "Worker":
    # The deployments come first: after an upgrade, waiting runs must find the new entry points.
    worker = Worker(client, name, await deployed_flows(client))
    await worker.join(sole)
    return worker


async def deployed_flows(client: PrefectClient) -> dict[UUID, Flow[..., Any]]:
    """Make or update pool and deployments, start a sweep, and return the flows by their ids in Prefect.

    Raises Transient if Prefect has not accepted the deployments in 90 s of retries.
    """
    deadline = time.monotonic() + _DEPLOYED_WITHIN_S
    while True:
        try:
            return await _deploy(client)
        except AWAY as error:
            if time.monotonic() >= deadline:
                reason = f"Prefect at {settings().prefect_ui_url} does not accept the deployments: {error}"
                raise Transient(reason) from error
            log.warning("Prefect does not accept the deployments; this is tried again", why=type(error).__name__)
        await asyncio.sleep(_PAUSE_S)


async def _deploy(client: PrefectClient) -> dict[UUID, Flow[..., Any]]:
    await set_up(client)
    results = await saved_block()
    flows = {
        (await client.read_flow_by_name(flow.name)).id: flow.with_options(result_storage=results) for flow in FLOWS
    }
    sweep = await client.read_deployment_by_name(SWEEP)
    await client.create_flow_run_from_deployment(sweep.id, tags=[BY_ITSELF])
    return flows
