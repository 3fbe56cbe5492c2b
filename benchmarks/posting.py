"""Posts archives to the receiver, as fast as they are acknowledged or evenly spaced."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import httpx

from benchmarks.archives import archive
from benchmarks.servers import SECRET


@dataclass(frozen=True, slots=True)
class Posted:
    """A posted archive. Times are seconds since the epoch."""

    reference: str
    begun_at: float
    answered_at: float
    is_acknowledged: bool


async def post(receiver: httpx.AsyncClient, template: bytes, reference: str) -> Posted:
    headers = {"authorization": f"Bearer {SECRET}", "content-type": "application/json"}
    body = archive(template, reference)
    begun_at = time.time()
    try:
        answer = await receiver.post("/webhooks/cellosign", content=body, headers=headers)
        is_acknowledged = answer.is_success and answer.json()["status"] == "0"
    except httpx.HTTPError:
        is_acknowledged = False
    return Posted(reference, begun_at, time.time(), is_acknowledged)


async def post_at_once(
    receiver: httpx.AsyncClient, template: bytes, references: Sequence[str], lanes: int
) -> list[Posted]:
    """Post archives by some lanes; each lane posts the next when its last is acknowledged."""
    left = iter(references)
    posted = await asyncio.gather(*(_lane(receiver, template, left) for _ in range(lanes)))
    return [each for of_lane in posted for each in of_lane]


async def _lane(receiver: httpx.AsyncClient, template: bytes, left: Iterator[str]) -> list[Posted]:
    return [await post(receiver, template, reference) for reference in left]


async def post_within(
    receiver: httpx.AsyncClient, template: bytes, references: Sequence[str], within_s: float
) -> list[Posted]:
    """Post archives evenly over `within_s`, each when it is due, without waiting for acknowledgements."""
    begun = time.monotonic()

    async def _post_when_due(number: int, reference: str) -> Posted:
        await asyncio.sleep(begun + number * within_s / len(references) - time.monotonic())
        return await post(receiver, template, reference)

    return await asyncio.gather(*(_post_when_due(number, each) for number, each in enumerate(references)))
