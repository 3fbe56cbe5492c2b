"""The threads in which the console acts: few, and none of those in which the receiver registers deliveries."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar
from weakref import WeakValueDictionary

from domain.words.wording import N_
from models.errors import Refused

_NICE = 10
P = ParamSpec("P")
Result = TypeVar("Result")


class _Threads:
    """Threads of one kind of work. Work beyond their number waits."""

    def __init__(self, number: int, name: str, niceness: int = 0) -> None:
        self._threads = ThreadPoolExecutor(number, name, _be_nice, (niceness,))

    async def __call__(self, work: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Return what the work returns."""
        call = partial(copy_context().run, work, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


def _be_nice(niceness: int) -> None:
    """Lower the priority of this thread, as Linux does, where the system permits it."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.nice(0) + niceness)


in_thread = _Threads(4, "console")
"""Actions of people."""
in_thread_of_exports = _Threads(2, "export")
"""Exports, which may take minutes: no other action waits for them."""
_of_passwords = _Threads(2, "password", _NICE)
"""Argon2 takes four threads of its own, which are as nice: senders go first."""
_turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
_MOST_TURNS = 100
_TOO_MANY = N_("Many people sign in at this moment. Try again in some seconds.")


async def in_thread_of_passwords(sharer: str, work: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Return what a check of a password returns. Each takes 64 MiB and 0.1 s of a core.

    A sharer, an address or a browser, has one check under way: its next check waits behind those of all others. So
    nobody waits for the guesses that others have sent at once.

    Raises Refused while 100 sharers wait.
    """
    if sharer not in _turns and len(_turns) >= _MOST_TURNS:
        raise Refused("TOO_MANY_REQUESTS", _TOO_MANY, status=503)
    turn = _turns.setdefault(sharer, asyncio.Lock())
    async with turn:
        return await _of_passwords(work, *args, **kwargs)
