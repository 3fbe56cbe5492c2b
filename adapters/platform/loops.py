"""Supervises loops that run as long as their process: restarts a loop that ends, and lists the loops that are down."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, NoReturn

from models.errors import CellarError

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_PROVEN_AFTER_S = 5.0

_down: dict[str, str] = {}
"""Why each loop that is down ended, by the name of the loop."""


def loops_down() -> dict[str, str]:
    """Return why each loop of this process that is down ended, by the name of the loop."""
    return dict(_down)


def next_pause(previous_s: float, lived_s: float) -> float:
    """Return the pause before a loop or program that has ended starts again. `previous_s` is its pause before this.

    0 if it had lived longer than the longest pause: it was healthy. If it ended soon after its start, the pause is
    twice the previous pause, from 1 s to 30 s.
    """
    if lived_s > _LONGEST_PAUSE_S:
        return 0
    return min(max(previous_s * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)


@asynccontextmanager
async def in_background(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run work beside the block. At the end of the block it is cancelled."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def supervised(name: str, loop: Callable[[], Awaitable[None]]) -> NoReturn:
    """Run a loop until cancelled, and restart it whenever it ends, after the pauses of `next_pause`.

    The loop is down from its end until it has run for 5 s again. So a loop that ends at once never counts as up.
    """
    pause_s = 0.0
    try:
        while True:
            began = time.monotonic()
            proof = asyncio.get_running_loop().call_later(_PROVEN_AFTER_S, _down.pop, name, None)
            try:
                _down[name] = await _end_of(name, loop)
            finally:
                proof.cancel()
            pause_s = next_pause(pause_s, time.monotonic() - began)
            await asyncio.sleep(pause_s)
    finally:
        _down.pop(name, None)


async def _end_of(name: str, loop: Callable[[], Awaitable[None]]) -> str:
    """Run a loop to its end and return why it ended. Our own cancellation propagates; a stray cancellation ends it."""
    try:
        await loop()
    except asyncio.CancelledError:
        if (task := asyncio.current_task()) and task.cancelling():
            raise
        why = "CancelledError"
    except Exception as error:
        # Our own messages repeat no value from a payload; messages of other errors may.
        why = str(error) if isinstance(error, CellarError) else type(error).__name__
        with suppress(Exception):  # a failure to report must not end the supervision
            # structlog's own trace would show values from payloads
            logging.getLogger(__name__).exception("%s has ended and will be restarted", name)
    else:
        why = "no error"
    return why
