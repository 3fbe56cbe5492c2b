"""Sends a burst to the distributed form, and waits until all of it is completed."""

import asyncio
import time

import httpx

from benchmarks.archives import references
from benchmarks.posting import post_at_once
from tests.distributed.outcome import queried
from tests.distributed.stack import Stack

_LANES = 4
_COMPLETE_WITHIN_S = 3600
_LOOK_AGAIN_S = 0.5


def burst(stack: Stack, made: bytes, archives: int) -> float:
    """Send archives as fast as they are acknowledged, and return the seconds until the last is completed."""
    begun, before = time.monotonic(), _completed(stack)
    asyncio.run(_post(stack, made, archives))
    deadline = begun + _COMPLETE_WITHIN_S
    while _completed(stack) < before + archives:
        assert time.monotonic() < deadline, f"the burst is not completed after {_COMPLETE_WITHIN_S} s"
        time.sleep(_LOOK_AGAIN_S)
    return time.monotonic() - begun


async def _post(stack: Stack, made: bytes, archives: int) -> None:
    async with httpx.AsyncClient(base_url=stack.url, timeout=120, trust_env=False) as receiver:
        posted = await post_at_once(receiver, made, references(archives), _LANES)
    assert all(each.is_acknowledged for each in posted)


def _completed(stack: Stack) -> int:
    return int(queried(stack.database_url, "SELECT count(*) FROM receipt WHERE state = 'completed'")[0][0])
