"""Sends messages to endpoints as a worker does, and as bare httpx does, in turns. A process of `benchmarks.messages`.

The argument is JSON: the ports of the endpoints, the rounds, and the messages to each endpoint in a round. The
environment names the installation. Prints a line of JSON for each round.
"""

import asyncio
import base64
import hmac
import json
import sys
import time
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx

from adapters.observation.log import set_up_log
from models.messages.notification import Event, EventType, NotificationState
from models.views.messages import NewEndpoint
from services.messages import endpoints
from services.messages.deliveries import Delivered, deliver_due
from services.messages.events import announce

_AT_ONCE = 4  # as `deliver_due`
_SECRET = b"the benchmark's secret of 32 byte"


@dataclass(frozen=True, slots=True)
class Round:
    """Messages of one round, sent by cellar and by bare httpx: seconds, and seconds of this process's processor."""

    messages: int
    cellar_s: float
    cellar_processor_s: float
    bare_s: float
    bare_processor_s: float


def main(ports: Sequence[int], rounds: int, each: int) -> None:
    set_up_log()
    urls = {f"endpoint-{port}": f"http://127.0.0.1:{port}/hook" for port in ports}
    for name, url in urls.items():
        endpoints.add(NewEndpoint(name=name, url=url), "benchmark", datetime.now(UTC))
    for number in range(rounds + 1):  # the first round warms up, and is not measured
        events = [_event() for _ in range(each)]
        for event in events:
            announce(event)
        cellar_s, cellar_processor_s = _timed(_delivered(urls, each))
        bare_s, bare_processor_s = _timed(_sent(list(urls.values()), [event.body for event in events]))
        if number:
            measured = Round(len(urls) * each, cellar_s, cellar_processor_s, bare_s, bare_processor_s)
            print(json.dumps(asdict(measured)), flush=True)


def _event() -> Event:
    """Return an event with a body like that of `process.missing`."""
    now, subject = datetime.now(UTC), str(uuid4())
    data = {
        "missing_id": subject,
        "reference": str(uuid4()),
        "process_number": 123456,
        "transaction_number": None,
        "source": "default",
        "why": "submitted",
        "since": now.isoformat(),
        "deadline_at": now.isoformat(),
        "hours_left": 24,
        "url": f"https://cellar.example/api/missing?reference={uuid4()}",
    }
    body = {"type": EventType.PROCESS_MISSING, "timestamp": now.isoformat(), "data": data}
    return Event(EventType.PROCESS_MISSING, subject, now, json.dumps(body).encode(), reference=str(data["reference"]))


def _timed(work: Coroutine[Any, Any, None]) -> tuple[float, float]:
    began_s, processor_s = time.perf_counter(), time.process_time()
    asyncio.run(work)
    return time.perf_counter() - began_s, time.process_time() - processor_s


async def _delivered(names: Sequence[str] | dict[str, str], each: int) -> None:
    delivered: list[Delivered] = await asyncio.gather(*(deliver_due(name) for name in names))
    confirmed = sum(found.by_state[NotificationState.DELIVERED] for found in delivered)
    if confirmed != len(names) * each:
        raise ValueError(f"expected {len(names) * each} confirmed messages, got {confirmed}")


async def _sent(urls: Sequence[str], bodies: Sequence[bytes]) -> None:
    """Sign and post bodies to each of the URLs, on connections that are kept, and keep nothing."""
    async with asyncio.TaskGroup() as senders:
        for url in urls:
            client, left = httpx.AsyncClient(), iter(bodies)
            for _ in range(_AT_ONCE):
                senders.create_task(_post_all(client, url, left))


async def _post_all(client: httpx.AsyncClient, url: str, left: Iterator[bytes]) -> None:
    for body in left:
        message_id, timestamp = f"msg_{uuid4()}", str(int(time.time()))
        digest = hmac.digest(_SECRET, f"{message_id}.{timestamp}.".encode() + body, "sha256")
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }
        (await client.post(url, headers=headers, content=body)).raise_for_status()


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
