"""The mixed load: archives of three sizes, re-deliveries, session events before their archive, and faulty bodies."""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice

import httpx

from benchmarks.archives import archive, references
from cli.simulation.payloads.session_events import events_before
from tests.distributed.load import Load
from tests.distributed.stack import Stack

_MIB = 1 << 20
_SIZES_BYTES = (0,) * 16 + (2 * _MIB,) * 3 + (16 * _MIB,)
"""Bytes added to the 200 KB of an archive, each size as often as it stands here."""
_REPEATED, _WITH_EVENTS, _FAULTY = 0.2, 0.3, 0.1
_OPENING = b'"content": "@reference@'


@dataclass
class Mix:
    """What was sent and how it was answered. `wrong`: answers that a sender must not get."""

    stack: Stack
    template: bytes
    load: Load = field(init=False)
    receipts: dict[str, str] = field(default_factory=dict)
    """References by receipt id, of archives that were acknowledged."""
    took_s: list[float] = field(default_factory=list)
    deliveries: int = 0
    events: int = 0
    refused: int = 0
    wrong: int = 0

    def __post_init__(self) -> None:
        self.load = Load(self.stack, self.template)

    def send(self, reference: str, seed: int) -> None:
        """Send one process: perhaps a faulty body, perhaps its events, its archive, perhaps again."""
        drawn = random.Random(seed)
        body = archive(_sized(self.template, drawn.choice(_SIZES_BYTES)), reference)
        if drawn.random() < _FAULTY:
            self._refuse(body[: len(body) // 2])
        if drawn.random() < _WITH_EVENTS:
            for event in events_before(body, left_out=None):
                self._acknowledge(event)
                self.events += 1
        for _ in range(3 if drawn.random() < _REPEATED else 1):
            self.took_s.append(self._acknowledge(body))
            self.deliveries += 1
        self.receipts[sha256(body).hexdigest()] = reference

    def _acknowledge(self, body: bytes) -> float:
        """Send a body until it is acknowledged, and return the seconds of the last request."""
        while True:
            begun = time.monotonic()
            if self.load.is_acknowledged(body):
                return time.monotonic() - begun
            time.sleep(1)

    def _refuse(self, body: bytes) -> None:
        headers = {"authorization": f"Bearer {self.stack.secret}"}
        url = f"{self.stack.url}/webhooks/cellosign"
        try:
            answer = httpx.post(url, content=body, headers=headers, timeout=30, trust_env=False)
        except httpx.HTTPError:
            return
        if answer.status_code == httpx.codes.BAD_GATEWAY:
            return
        self.refused += 1
        self.wrong += answer.json()["status"] != "-1"


def numbered() -> Iterator[str]:
    """Yield references that were never used before."""
    while True:
        yield from islice(references(100), 100)


def _sized(template: bytes, more_bytes: int) -> bytes:
    filler = b"A" * (more_bytes // 4 * 4)
    assert _OPENING in template
    return template.replace(_OPENING, _OPENING + filler, 1)
