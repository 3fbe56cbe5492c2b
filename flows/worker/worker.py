"""The long-lived worker: executes the runs of the pool `cellar` in this process, several at once.

Prefect's own process worker starts a Python process for each run, which takes seconds. Here each run is a task of one
event loop, with its heavy work in threads. A short poll finds due runs; Prefect's events find them sooner.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from typing import Any
from uuid import UUID, uuid4

import httpx
import structlog
from prefect import Flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventFilter, EventNameFilter
from prefect.exceptions import Abort, Pause, PrefectException

from adapters.observation.metrics import RUNS_IN_PROGRESS, WORKER_BEAT
from adapters.peers import prefect_api
from adapters.platform.cancellation import clock, pausing
from adapters.settings.environment import POOL
from adapters.tables.runs import leases
from flows.execution.engine import Execution, Interrupted, Interruption
from flows.execution.lease import release_left
from flows.import_archives import import_archives
from flows.process_archive import process_archive
from flows.worker.due_runs import DueRuns, Outages
from flows.worker.housekeeping import Housekeeping
from flows.worker.pool import cancelled_runs, scheduled_runs, take
from flows.worker.recovery import Watch, recover, recover_strays
from models.errors import Transient
from models.runs.receipt import Trigger
from services import derived

_IN_BULK = f"trigger:{Trigger.BULK}"
_PAUSES_FOR_S, _GOES_ON_FOR_S, _LOOKS_EACH_S = 2.0, 0.5, 0.01


def is_in_bulk(execution: Execution) -> bool:
    """Return whether a run imports archives, or belongs to a bulk re-run."""
    return execution.flow_name == import_archives.name or _IN_BULK in execution.flow_run.tags


class GivingWay:
    """What the runs in bulk of a worker do at each checkpoint that may pause. They hold no transaction there.

    Under a stream of new archives that never ends, they pause for two seconds, and go on for half a second.
    """

    def __init__(self, live: Mapping[str, Execution]) -> None:
        self._live = live
        self._goes_on_until_s = 0.0

    def pause(self) -> None:
        """Wait, in a thread, while this worker archives what is not in bulk."""
        began_s = clock()
        while clock() >= self._goes_on_until_s and self._archives_other():
            if clock() - began_s >= _PAUSES_FOR_S:
                self._goes_on_until_s = clock() + _GOES_ON_FOR_S
            time.sleep(_LOOKS_EACH_S)

    def _archives_other(self) -> bool:
        return any(
            each.holds_slot and each.flow_name == process_archive.name and not is_in_bulk(each)
            for each in list(self._live.values())
        )


log = structlog.get_logger()

_POLL_S = 0.5
_EVENT_COMMITS_IN_S, _EVENT_COMMITS_WITHIN_S = 0.01, 0.03
_CANCEL_LOOK_S = 1
_BEAT_S = 5
_DEAD_AFTER_S = 25
_SHOWN_EACH_S = 10
_REPORTED_EACH_S = 5
_STRAYS_LOOK_S = 60
_OUTAGES_LOOK_S = 2
_FILL_LOOK_S = 60
_FILL_PAUSE, _FILL_PAUSE_BESIDE_RUNS = 0.3, 1.0
_MOST_FILLED_A_SECOND = 700
_PAUSE_S = 2
_DRAIN_WITHIN_S = 8
_INTERRUPTED_WITHIN_S = 4
AWAY = (Transient, PrefectException, httpx.HTTPError, OSError)
_EVENTS = [f"prefect.flow-run.{each}" for each in ("Scheduled", "AwaitingRetry", "Late", "Cancelling")]


class Worker:
    """The runs of this process, and the runs to start next."""

    def __init__(self, client: PrefectClient, name: str, flows: dict[UUID, Flow[..., Any]]) -> None:
        self._client = client
        self._name = name
        self._flows = flows
        self._id = str(uuid4())
        self._live: dict[str, Execution] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._outages = Outages(flows)
        self._housekeeping = Housekeeping(client)
        self._due = DueRuns(client, flows, self._live, self._outages)
        self._giving_way = GivingWay(self._live)
        self._wake = asyncio.Event()
        self._watch = Watch(_DEAD_AFTER_S, clock())

    async def join(self, sole: bool) -> None:
        """Register this worker. With `sole`, declare all other workers dead first, and take over their claims."""
        await self._beat()
        if sole:
            await asyncio.to_thread(leases.end_workers, self._id)
            await asyncio.to_thread(leases.take_over, self._id, _DEAD_AFTER_S)

    async def work_until(self, stopping: "asyncio.Task[None]") -> None:
        """Take runs and execute them.

        An error in a duty does not end its loop. The duty is tried again soon, since a worker that misses its beats for
        long is taken for dead. If a loop ends all the same, the process ends and the supervisor starts the next worker:
        no probe asks a worker whether it is ready, and the next worker begins with its own connections and claims.

        Raises Transient if a loop has ended unexpectedly.
        """
        loops = [
            self._repeat(self._take_due, 0),
            self._repeat(self._listen, _PAUSE_S),
            *(self._repeat(each, every_s) for each, every_s in self._duties()),
        ]
        duties = [asyncio.create_task(each) for each in loops]
        await asyncio.wait({stopping, *duties}, return_when=asyncio.FIRST_COMPLETED)
        await end_tasks(duties)
        if not stopping.done():
            await self.drain(hurry=asyncio.create_task(asyncio.sleep(0)))
            raise Transient("a loop of the worker has ended unexpectedly; start the worker again")

    async def drain(self, hurry: "asyncio.Task[None]") -> None:
        """Take no new run. Let the present runs end, or hand them back."""
        duties = [asyncio.create_task(self._repeat(each, every_s)) for each, every_s in self._duties()]
        for execution in list(self._live.values()):
            if execution.only_starts_runs:
                execution.interrupt(Interruption.HANDED_BACK)
        ended = asyncio.create_task(self._all_ended())
        await asyncio.wait({ended, hurry}, timeout=_DRAIN_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        for execution in list(self._live.values()):
            execution.interrupt(Interruption.HANDED_BACK)
        await asyncio.wait({ended}, timeout=_INTERRUPTED_WITHIN_S)
        await end_tasks([*duties, hurry, ended])
        if self._tasks:
            return  # this process still works on these runs; other workers take them over after its end
        with _surviving("the worker could not sign off; other workers take over its claims later"):
            await asyncio.to_thread(leases.leave, self._id)

    async def _all_ended(self) -> None:
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _duties(self) -> list[tuple[Callable[[], Awaitable[None]], float]]:
        return [
            (self._beat, _BEAT_S),
            (self._recover, _BEAT_S),
            (self._look_for_cancelled, _CANCEL_LOOK_S),
            (self._show, _SHOWN_EACH_S),
            (self._report, _REPORTED_EACH_S),
            (self._recover_strays, _STRAYS_LOOK_S),
            (self._look_for_outages, _OUTAGES_LOOK_S),
            (self._fill_in, _FILL_LOOK_S),
        ]

    async def _repeat(self, duty: Callable[[], Awaitable[None]], every_s: float) -> None:
        while True:
            with _surviving(f"{duty.__name__.strip('_')} failed and is tried again"):
                await duty()
                await asyncio.sleep(every_s)
                continue
            await asyncio.sleep(_PAUSE_S)

    async def _take_due(self) -> None:
        """Fill the free slots, then wait for an event or the next poll."""
        self._wake.clear()
        await self._due.look_for_new()
        if not await self._start(self._due.take()):
            await self._due.look()
            await self._start(self._due.take())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), _POLL_S)

    async def _start(self, flow_runs: list[FlowRun]) -> bool:
        """Start the runs that this worker can claim, and return whether there was any run to start."""
        starting = {str(each.id): Execution(self._flows[each.flow_id], each) for each in flow_runs}
        self._live |= starting
        try:
            claimed = await asyncio.to_thread(leases.claim, starting, self._id, _DEAD_AFTER_S) if starting else set()
            # A run that was due at the request may have been executed since, and Prefect would accept it once more.
            due = {str(each.id) for each in await scheduled_runs(self._client, claimed)} if claimed else set()
            for flow_run_id in claimed - due:
                await asyncio.to_thread(leases.drop, flow_run_id, self._id)
        except BaseException:
            for flow_run_id in starting:
                del self._live[flow_run_id]  # `_recover` takes care of the claims
            raise
        for flow_run_id, execution in starting.items():
            if flow_run_id in due:
                task = asyncio.create_task(self._execute(execution), name=flow_run_id)
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                del self._live[flow_run_id]
        return bool(starting)

    async def _execute(self, execution: Execution) -> None:
        """Execute a claimed run. A run whose end Prefect does not know keeps its claim, and `_recover` recovers it."""
        flow_run_id = str(execution.flow_run.id)
        structlog.contextvars.bind_contextvars(flow_run_id=flow_run_id)  # the task of each run has a context of its own
        began_s = time.monotonic()
        try:
            way = pausing(self._giving_way.pause) if is_in_bulk(execution) else nullcontext()
            with _surviving("the end of a run is not reported to Prefect; the run is recovered"), way:
                is_ours = not await self._housekeeping.leaves_no_run(execution)
                is_ours = is_ours and await take(self._client, execution.flow_run.id)
                if is_ours:
                    with suppress(Abort, Pause, Interrupted):
                        await execution.run()
                    _log_end(execution, time.monotonic() - began_s)
                if execution.is_over or not is_ours:
                    await asyncio.to_thread(leases.drop, flow_run_id, self._id)
                else:  # as when a person cancels it between Pending and Running
                    await recover(self._client, flow_run_id, self._id)
        finally:
            if execution.begun:
                await end_tasks([execution.begun])
            self._live.pop(flow_run_id, None)
            self._wake.set()

    async def _listen(self) -> None:
        """Look for due runs on Prefect's events. Events may be lost, hence the poll."""
        async with get_events_subscriber(EventFilter(event=EventNameFilter(name=_EVENTS))) as events:
            async for event in events:
                if event.event.endswith("Cancelling"):
                    await self._look_for_cancelled()
                elif not self._wake.is_set():  # Prefect sends the event before it commits the run
                    await asyncio.sleep(_EVENT_COMMITS_IN_S)
                    self._wake.set()
                    await asyncio.sleep(_EVENT_COMMITS_WITHIN_S)
                    if event.resource.id.rpartition(".")[2] not in self._live:
                        self._wake.set()

    async def _look_for_cancelled(self) -> None:
        if self._live:
            for flow_run in await cancelled_runs(self._client, [UUID(each) for each in self._live]):
                if execution := self._live.get(str(flow_run.id)):
                    asked = flow_run.state_type is StateType.CANCELLING
                    execution.interrupt(Interruption.CANCELLED if asked else Interruption.LOST)

    async def _beat(self) -> None:
        """Show the other workers that this worker lives. Never waits for Prefect.

        A run that another worker has now is dropped: this worker stood still, or had no database, and seemed dead.
        """
        begun = {each.get_name() for each in self._tasks}
        kept = await asyncio.to_thread(leases.renew, self._id, _DEAD_AFTER_S)
        self._watch.renewed(clock())
        for execution in [self._live[each] for each in begun - kept if each in self._live]:
            if not execution.is_over:
                log.warning("this worker was taken for dead; a run is left to another", flow=execution.flow_name)
                execution.interrupt(Interruption.LOST)
        await release_left()

    async def _recover(self) -> None:
        """Recover claimed runs that nobody executes: runs of dead workers, or runs whose end Prefect does not know."""
        if self._watch.may_take_over(clock()):
            await asyncio.to_thread(leases.take_over, self._id, _DEAD_AFTER_S)
        live = set(self._live)  # taken before the request: a run that ends in between may still be in the answer
        for flow_run_id in await asyncio.to_thread(leases.held_by, self._id) - live:
            if flow_run_id not in self._live:  # asked again, since each recovery takes a while
                with _surviving("a run could not be recovered; this is tried again", flow_run_id=flow_run_id):
                    log.warning("a run that nobody executes is being recovered", flow_run_id=flow_run_id)
                    await recover(self._client, flow_run_id, self._id)

    async def _recover_strays(self) -> None:
        await recover_strays(self._client, prefect_api.now())

    async def _look_for_outages(self) -> None:
        await self._outages.look()

    async def _fill_in(self) -> None:
        """Fill in what archives lack after an upgrade, in batches with pauses, so that other writers have their turn.

        A million archives take half an hour where no runs are in the way. On SQLite, nobody else writes during a batch.
        """
        began_s = time.monotonic()
        while filled := await asyncio.to_thread(lambda: derived.fill() or derived.fill_digests()):
            lasted_s = time.monotonic() - began_s
            pause = _FILL_PAUSE_BESIDE_RUNS if self._live else _FILL_PAUSE
            await asyncio.sleep(max(lasted_s * pause, filled / _MOST_FILLED_A_SECOND - lasted_s))
            began_s = time.monotonic()

    async def _show(self) -> None:
        """Show this worker as ONLINE in Prefect's UI."""
        await self._client.send_worker_heartbeat(POOL, self._name, heartbeat_interval_seconds=_SHOWN_EACH_S)

    async def _report(self) -> None:
        """Show in the metrics that this worker lives, whether or not Prefect and the database answer."""
        WORKER_BEAT.set(time.time())
        RUNS_IN_PROGRESS.set(len(self._live))


async def end_tasks(tasks: list["asyncio.Task[Any]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _log_end(execution: Execution, lasted_s: float) -> None:
    """Log the end of a run, with everything that the run has bound to its context."""
    say = log.warning if execution.has_failed else log.info
    say("run ended", flow=execution.flow_name, outcome=execution.outcome, duration_s=round(lasted_s, 3))


@contextmanager
def _surviving(message: str, **context: str) -> Iterator[None]:
    """Log an error of the block and go on: Prefect or the database may be away at any time."""
    try:
        yield
    except AWAY as error:
        log.warning(message, why=type(error).__name__, **context)
    except Exception:  # whatever breaks a duty, the worker tries it again
        logging.getLogger(__name__).exception(message)  # structlog's own trace would show values from payloads
