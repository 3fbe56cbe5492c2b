"""Loops that live as long as their process. A loop that ends begins again, and the process knows that it is down."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NoReturn

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_PROVEN_AFTER_S = 5.0

_down: dict[str, str] = {}
"""Why each loop that is down has ended, by the name of the loop."""


def loops_down() -> dict[str, str]:
    """Return why each loop of this process that is down has ended, by its name."""
    return dict(_down)


async def supervised(name: str, loop: Callable[[], Awaitable[None]]) -> NoReturn:
    """Run a loop until this is cancelled, and begin it again whenever it ends: after 1 s, 2, 4, and at most 30.

    The loop is down from its end until it has lived for 5 s again: a loop that ends at once was never up between two
    pauses.
    """
    pause_s = _FIRST_PAUSE_S
    try:
        while True:
            began = time.monotonic()
            proof = asyncio.get_running_loop().call_later(_PROVEN_AFTER_S, _down.pop, name, None)
            try:
                _down[name] = await _end_of(name, loop)
            finally:
                proof.cancel()
            if time.monotonic() - began >= _PROVEN_AFTER_S:
                pause_s = _FIRST_PAUSE_S
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
    finally:
        _down.pop(name, None)


async def _end_of(name: str, loop: Callable[[], Awaitable[None]]) -> str:
    """Run a loop to its end and return why it has ended. Our own cancellation passes through; a stray one is an end."""
    try:
        await loop()
    except asyncio.CancelledError:
        if (task := asyncio.current_task()) and task.cancelling():
            raise
        why = "CancelledError"
    except Exception as error:
        why = type(error).__name__
        with suppress(Exception):  # a loop must not die of the report of its death
            # structlog's own trace would show values from payloads
            logging.getLogger(__name__).exception("%s has ended and begins again", name)
    else:
        why = "no error"
    return why
