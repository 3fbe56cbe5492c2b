"""Lets only one run at a time work on a process."""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress

from adapters.platform.cancellation import Deadline, clock, limited
from adapters.platform.loops import in_background
from adapters.tables.runs import leases
from flows.execution.engine import give_up
from models.errors import System, Transient
from models.said import Sentence

_LEASE_S = 30
_RENEWAL_S = 10
_POLL_S = 1
_LONGEST_WAIT_S = 600
_left: set[tuple[str, str]] = set()
"""Processes and holders whose work has ended, and whose leases could not be released yet."""


class Busy(Transient):
    """Another run works on the process."""

    def __init__(self) -> None:
        super().__init__(Sentence.process_busy(seconds=_LONGEST_WAIT_S), system=System.OTHER_RUN)


@asynccontextmanager
async def sole_work_on(reference: str, holder: str) -> AsyncIterator[None]:
    """Hold the lease on a process and renew it while the block runs. A dead holder's lease expires after 30 s.

    Threads of the block stop by themselves once the lease has expired: after a long sleep of the worker, or of the
    machine, another run may hold the lease before the worker can notice.

    Raises Busy if another run has held the lease for ten minutes.
    """
    waited_s = 0
    asked_at_s = clock()
    while not await asyncio.to_thread(leases.take, [reference], holder, _LEASE_S):
        if waited_s >= _LONGEST_WAIT_S:
            raise Busy
        await asyncio.sleep(_POLL_S)
        waited_s += _POLL_S
        asked_at_s = clock()
    try:
        async with _held([reference], holder, asked_at_s):
            yield
    finally:
        _left.add((reference, holder))
        with suppress(Transient):
            await release_left()


async def release_left() -> None:
    """Release the leases of work that has ended. A worker does so again after an outage, or they would have to expire.

    Raises Transient if the database does not answer.
    """
    for reference, holder in list(_left):
        await asyncio.to_thread(leases.release, [reference], holder)
        _left.discard((reference, holder))


@asynccontextmanager
async def sole_work_on_free(references: Collection[str], holder: str) -> AsyncIterator[set[str]]:
    """Hold the leases on the processes that no other run works on, as `sole_work_on` does. Yield their references."""
    asked_at_s = clock()
    free = await asyncio.to_thread(leases.take, references, holder, _LEASE_S)
    try:
        async with _held(free, holder, asked_at_s):
            yield free
    finally:
        with suppress(Transient):  # the leases expire by themselves
            await asyncio.to_thread(leases.release, free, holder)


@asynccontextmanager
async def _held(references: Collection[str], holder: str, asked_at_s: float) -> AsyncIterator[None]:
    """Renew leases while the block runs. `asked_at_s`: the time before the request for them."""
    deadline = Deadline(asked_at_s + _LEASE_S)
    with limited(deadline.check):
        async with in_background(_renew(references, holder, deadline, asyncio.current_task())):
            yield


async def _renew(
    references: Collection[str], holder: str, deadline: Deadline, worker: "asyncio.Task[object] | None"
) -> None:
    """Renew the leases. End the run when the renewal ends: the run must not go on beside the next holder."""
    try:
        await _renew_until_lost(references, holder, deadline)
    except Exception:  # whatever ends the renewal must end the run too
        # structlog's own trace would show values from payloads
        logging.getLogger(__name__).exception("the renewal of a lease has failed; its run is interrupted")
    if not give_up() and worker:
        worker.cancel()


async def _renew_until_lost(references: Collection[str], holder: str, deadline: Deadline) -> None:
    while True:
        await asyncio.sleep(_RENEWAL_S)
        asked_at_s = clock()
        try:
            async with asyncio.timeout(max(0, deadline.at_s - asked_at_s)):
                if await asyncio.to_thread(leases.take, references, holder, _LEASE_S) != set(references):
                    return
        except TimeoutError:
            return
        except Transient:  # a lease outlasts several renewals
            if clock() + _RENEWAL_S >= deadline.at_s:
                return
        else:
            deadline.at_s = asked_at_s + _LEASE_S
