"""Heavy work in threads, which end before whoever waits for them does."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from functools import partial
from typing import ParamSpec, TypeVar

from models.errors import Transient

P = ParamSpec("P")
Result = TypeVar("Result")

# Not asyncio's own threads, which are 6 on 2 cores: bodies of gigabytes would take them all, and the renewal of leases
# would wait behind them. These begin when they are needed, and a run has one or two at a time.
_THREADS = ThreadPoolExecutor(64, thread_name_prefix="archive")
_stop: ContextVar[threading.Event | None] = ContextVar("stop", default=None)
_limits: ContextVar[tuple[Callable[[], None], ...]] = ContextVar("limits", default=())


def clock() -> float:
    """Seconds that nobody sets, and that pass while the machine sleeps, which those of `time.monotonic` do not."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@contextmanager
def limited(limit: Callable[[], None]) -> Iterator[None]:
    """A block in which `checkpoint` also calls `limit`, which ends work by raising; in threads of the block too."""
    token = _limits.set((*_limits.get(), limit))
    try:
        yield
    finally:
        _limits.reset(token)


class Deadline:
    """A time of `clock` by which work must have ended, and which may be put off. A limit for `limited`."""

    def __init__(self, at_s: float) -> None:
        self.at_s = at_s

    def check(self) -> None:
        """Raise once the time is over.

        Raises:
            Transient: it is.
        """
        if clock() > self.at_s:
            raise Transient("this process stood still for so long that another may do its work")


class Stopped(Exception):
    """A thread was told to stop. It ends the work and never leaves `in_thread`, which raises CancelledError."""


async def in_thread(work: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Run `work` in a thread, with the context variables of the caller.

    When the caller is cancelled the thread is told to stop, which `checkpoint` hears, and cancellation goes on only
    when it has ended: a run that is over has nobody left who writes. `asyncio.to_thread` would leave it running.
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
        working.cancel()  # one that has not begun never does
        await _until(ended)
        raise
    return ended.result()


def _from_checkpoint(work: Callable[[], Result]) -> Result:
    checkpoint()
    return work()


@contextmanager
def one_fate() -> Iterator[None]:
    """A block that other threads work for, in copies of its context: when it fails, `checkpoint` ends them too."""
    stop = _stop.get() or threading.Event()
    token = _stop.set(stop)
    try:
        yield
    except BaseException:
        stop.set()
        raise
    finally:
        _stop.reset(token)


def checkpoint() -> None:
    """Between two chunks of long work: end the work if its caller was cancelled or one of its limits says so.

    Outside of `in_thread` and `limited` it does nothing.

    Raises:
        Stopped: the caller that waits for the work was cancelled.
        Transient: a deadline is over.
    """
    stop = _stop.get()
    if stop and stop.is_set():
        raise Stopped
    for limit in _limits.get():
        limit()


async def _until(ended: "asyncio.Future[Result]") -> None:
    """Wait for the end, however often this is cancelled, and whatever came of it."""
    while not ended.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({ended})
    if not ended.cancelled():
        ended.exception()  # else asyncio logs that nobody asked for it
