"""The threads in which the console acts: few, and none of those in which the receiver registers deliveries."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
Result = TypeVar("Result")
_ACTIONS = ThreadPoolExecutor(4, thread_name_prefix="console")
_PASSWORDS = ThreadPoolExecutor(2, thread_name_prefix="password")
_EXPORTS = ThreadPoolExecutor(2, thread_name_prefix="export")


async def in_thread(work: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Return what an action of a person returns. A fifth action waits for a thread."""
    call = partial(copy_context().run, work, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_ACTIONS, call)


async def in_thread_of_exports(work: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Return what an export returns, which may take minutes. A third export waits, and no other action does."""
    call = partial(copy_context().run, work, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_EXPORTS, call)


async def in_thread_of_passwords(work: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Return what a check of a password returns, which takes 64 MiB and 0.1 s of a core. A third check waits."""
    call = partial(copy_context().run, work, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_PASSWORDS, call)
