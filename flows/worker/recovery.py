"""Recovers runs that no worker executes any longer: makes them due again, or ends them.

A run is recovered by the worker that has its claim: either the worker executed the run and could not report its end to
Prefect, or it took the claim over from a worker that was killed.
"""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas import filters
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun, State, StateType
from prefect.client.schemas.responses import OrchestrationResult, SetStateStatus
from prefect.exceptions import ObjectNotFound
from prefect.states import AwaitingRetry, Cancelled, Crashed

from adapters.peers import prefect_api
from adapters.tables.runs import leases, runs
from domain.runs import CANCELLED, CRASHED, WAITS_FOR
from flows.process_archive import process_archive
from flows.worker.due_runs import SUSPECT
from flows.worker.pool import is_taken_by_us, unended_runs
from models.archive.archive import State as ArchiveState
from models.runs.receipt import RunState

_SUSPECT_FROM = 3
_LONGEST_PAUSE = timedelta(hours=1)
_EXECUTED_ELSEWHERE_WITHIN = timedelta(minutes=15)
_UNENDED = [each for each in StateType if each not in TERMINAL_STATES]
_WHY = "Its worker was killed, or could not report to Prefect how the run ended."


class Watch:
    """Says when a worker may take over the claims that have expired: after it has watched for as long as claims last.

    While the database was away, or this process stood still, all claims expired, and living workers need time to renew
    theirs. `now_s` is the clock of `adapters.platform.cancellation`.
    """

    def __init__(self, lasts_s: float, now_s: float) -> None:
        self._lasts_s = lasts_s
        self._since_s = self._renewed_s = now_s

    def renewed(self, now_s: float) -> None:
        """Note that this worker has renewed its own leases."""
        if self._is_interrupted(now_s):
            self._since_s = now_s
        self._renewed_s = now_s

    def may_take_over(self, now_s: float) -> bool:
        return not self._is_interrupted(now_s) and now_s - self._since_s >= self._lasts_s

    def _is_interrupted(self, now_s: float) -> bool:
        return now_s - self._renewed_s > self._lasts_s / 2


async def recover(client: PrefectClient, flow_run_id: str, worker_id: str) -> None:
    """Recover a claimed run that nobody executes, and drop its claim. A second call changes nothing.

    A claim does not prove that the run was begun under it: a stock worker may have taken the run in Prefect first.

    Raises:
        HTTPError, PrefectException: Prefect does not answer.
    """
    try:
        flow_run = await client.read_flow_run(UUID(flow_run_id))
    except ObjectNotFound:
        is_recovered = True  # the run was deleted; the sweep triggers its receipt again
    else:
        if flow_run_id not in await asyncio.to_thread(leases.held_by, worker_id):
            return  # the run has since ended, or another worker has its claim
        is_recovered = not await is_taken_by_us(client, flow_run.id) or await _recover(client, flow_run)
    if is_recovered:
        await asyncio.to_thread(leases.drop, flow_run_id, worker_id)


async def recover_strays(client: PrefectClient, now: datetime) -> None:
    """Recover runs of `process-archive` that a dead stock worker has left. Such runs have no claim.

    Only its lease shows that such a run lives. Runs of other flows have no lease, so they are never recovered. A run
    that waits for a lease gives up before the time that is allowed here is over.
    """
    unended = await unended_runs(client, process_archive.name)
    claimed = await asyncio.to_thread(leases.claimed)
    for flow_run in unended:
        if str(flow_run.id) not in claimed and not await asyncio.to_thread(_may_live, flow_run, now):
            await _recover(client, flow_run)


def _may_live(flow_run: FlowRun, now: datetime) -> bool:
    expired_at = leases.expiry(str(flow_run.id))
    since = flow_run.state.timestamp if flow_run.state else now
    return now < max(expired_at or since, since) + _EXECUTED_ELSEWHERE_WITHIN


async def _recover(client: PrefectClient, flow_run: FlowRun) -> bool:
    """Make a run due again, or end it. Its lease is left to expire, since a worker that stood still may go on.

    Returns:
        False when the run has changed in between and must be examined again.
    """
    if flow_run.state_type not in (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING):
        return True
    await _end_tasks(client, flow_run.id)
    now = prefect_api.now()
    crashes = await asyncio.to_thread(runs.crashes, str(flow_run.id))
    since = await asyncio.to_thread(runs.crashing_since, str(flow_run.id), flow_run.start_time or now, now)
    state = state_after(flow_run.state_type, crashes, since, now)
    if state.is_final():
        cause = CANCELLED if state.is_cancelled() else CRASHED
        failed = RunState(state.type.value.capitalize()), ArchiveState.FAILED, now, cause
        await asyncio.to_thread(runs.end, str(flow_run.id), flow_run.run_count, *failed)
    # The last step, since it makes the run due. A state that does so is not forced, since a Cancel may have come.
    answer: OrchestrationResult[None] = await client.set_flow_run_state(flow_run.id, state, force=state.is_final())
    return answer.status is SetStateStatus.ACCEPT


def state_after(left: StateType, crashes: int, since: datetime, now: datetime) -> "State[None]":
    """Return the state of a run that its killed worker has left, and that has crashed `crashes` times in all.

    A run that kills its worker each time must start ever more rarely, or no other run would end: after 2 s, 6 s, 14 s
    and so on, at most an hour. Three days after `since`, when it began to do nothing but crash, it stays Crashed. Pure.
    """
    if left is StateType.CANCELLING:
        return Cancelled(message="Cancelled through Prefect while its worker was killed.")
    if now - since >= WAITS_FOR:
        return Crashed(message=str(CRASHED))
    pause = min(_LONGEST_PAUSE, timedelta(seconds=2 ** max(1, min(crashes, 20)) - 2))
    return AwaitingRetry(scheduled_time=now + pause, message=SUSPECT if crashes >= _SUSPECT_FROM else _WHY)


async def _end_tasks(client: PrefectClient, flow_run_id: UUID) -> None:
    """End the task runs of the dead process, which would stay Running in the UI. The next attempt makes new ones."""
    of_run = filters.FlowRunFilter(id=filters.FlowRunFilterId(any_=[flow_run_id]))
    # An answer has at most 200 task runs. A run that was begun often has more, most of them ended.
    unended = filters.TaskRunFilter(
        state=filters.TaskRunFilterState(type=filters.TaskRunFilterStateType(any_=_UNENDED))
    )
    for task_run in await client.read_task_runs(flow_run_filter=of_run, task_run_filter=unended):
        await client.set_task_run_state(task_run.id, Crashed(message=_WHY), force=True)
