"""Runs heavy work in threads that end before their caller does."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, ParamSpec, TypeVar

from models.errors import Transient
from models.said import Sentence

P = ParamSpec("P")
Result = TypeVar("Result")

# Asyncio's own threads are 6 on 2 cores. Bodies of gigabytes would occupy all 6, and the renewal of leases would wait
# behind them. These threads start on demand, and a run uses one or two at a time.
_THREADS = ThreadPoolExecutor(64, thread_name_prefix="archive")
_AT_ONCE = 16  # requests of one run
_stop: ContextVar[threading.Event | None] = ContextVar("stop", default=None)
_limits: ContextVar[tuple[Callable[[], None], ...]] = ContextVar("limits", default=())
_pause: ContextVar[Callable[[], None] | None] = ContextVar("pause", default=None)


def clock() -> float:
    """Return monotonic seconds that also pass while the machine sleeps, unlike those of `time.monotonic`."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@contextmanager
def limited(limit: Callable[[], None]) -> Iterator[None]:
    """Let `checkpoint` also call `limit` within the block and its threads; `limit` ends the work by raising."""
    token = _limits.set((*_limits.get(), limit))
    try:
        yield
    finally:
        _limits.reset(token)


@contextmanager
def pausing(pause: Callable[[], None]) -> Iterator[None]:
    """Let `checkpoint` call `pause` first within the block and its threads; `pause` returns when the work may go on."""
    token = _pause.set(pause)
    try:
        yield
    finally:
        _pause.reset(token)


class Deadline:
    """A time of `clock` by which work must have ended. It may be postponed. Its `check` is a limit for `limited`."""

    def __init__(self, at_s: float) -> None:
        self.at_s = at_s

    def check(self) -> None:
        """Raise Transient once the deadline has passed."""
        if clock() > self.at_s:
            raise Transient(Sentence.stood_still())


class Stopped(Exception):
    """Ends the work of a thread that must stop. It never leaves `in_thread`, which raises CancelledError."""


async def in_thread(work: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Run `work` in a thread, with the context variables of the caller.

    When the caller is cancelled, `checkpoint` stops the thread. Cancellation continues only after the thread has ended,
    so no thread of an ended run still writes. `asyncio.to_thread` would leave the thread running.
    """
    stop = threading.Event()
    context = copy_context()
    context.run(_stop.set, stop)
    working = _THREADS.submit(context.run, _from_checkpoint, partial(work, *args, **kwargs))
    ended = asyncio.wrap_future(working)
    try:
        await asyncio.wait({ended})
    except asyncio.CancelledError:
        stop.set()
        working.cancel()  # work that has not begun never begins
        await until_ended(ended)
        raise
    return ended.result()


def _from_checkpoint(work: Callable[[], Result]) -> Result:
    checkpoint()
    return work()


@contextmanager
def one_fate() -> Iterator[None]:
    """When the block fails, let `checkpoint` also end the threads that run in copies of its context."""
    stop = _stop.get() or threading.Event()
    token = _stop.set(stop)
    try:
        yield
    except BaseException:
        stop.set()
        raise
    finally:
        _stop.reset(token)


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Do independent works that wait for servers, in threads. Return the results once all have ended, or raise the
    first failure. After a failure, work that has not begun never begins.
    """
    threads = ThreadPoolExecutor(_AT_ONCE)
    try:
        begun = [threads.submit(copy_context().run, _from_checkpoint, work) for work in works]
        return [working.result() for working in begun]
    finally:
        threads.shutdown(cancel_futures=True)


def checkpoint(*, may_pause: bool = True) -> None:
    """End the work if its caller was cancelled or one of its limits raises. Call it between two chunks of long work.

    Outside `in_thread`, `limited` and `pausing` it does nothing.

    Args:
        may_pause: False where the work holds what other work needs, such as a place or a lock.

    Raises:
        Stopped: the caller that waits for the work was cancelled.
        Transient: a deadline has passed.
    """
    if may_pause and (pause := _pause.get()):
        pause()
    stop = _stop.get()
    if stop and stop.is_set():
        raise Stopped
    for limit in _limits.get():
        limit()


async def until_ended(ended: "asyncio.Future[Result]") -> None:
    """Wait for the end, however often this wait is cancelled and whether or not the work fails."""
    while not ended.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({ended})
    if not ended.cancelled():
        ended.exception()  # else asyncio logs that the exception was never retrieved
