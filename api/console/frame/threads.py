"""The threads in which the console acts: few, and none of those in which the receiver registers deliveries."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
Result = TypeVar("Result")


class _Threads:
    """Threads of one kind of work. Work beyond their number waits."""

    def __init__(self, number: int, name: str) -> None:
        self._threads = ThreadPoolExecutor(number, thread_name_prefix=name)

    async def __call__(self, work: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Return what the work returns."""
        call = partial(copy_context().run, work, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


in_thread = _Threads(4, "console")
"""Actions of people."""
in_thread_of_exports = _Threads(2, "export")
"""Exports, which may take minutes: no other action waits for them."""
in_thread_of_passwords = _Threads(2, "password")
"""Checks of passwords, each of which takes 64 MiB and 0.1 s of a core."""
