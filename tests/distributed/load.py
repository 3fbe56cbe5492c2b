"""Sends archives as Cellosign does: each again and again until it is acknowledged, some of them again afterwards."""

import ssl
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256

import httpx

from benchmarks.archives import archive
from tests.distributed.stack import Stack

_AGAIN_AFTER_S = 1
_ANSWER_WITHIN_S = 30
_GIVE_UP_S = 900
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Requests are plain HTTP, and reading the machine's certificates for each costs more than an acknowledgement."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An archive that was acknowledged once or several times. Times are seconds since the epoch and seconds."""

    reference: str
    receipt_id: str
    at: float
    times: int
    took_s: Sequence[float]


@dataclass
class Load:
    """What was sent so far. `refused` counts requests without an acknowledgement, by status or error."""

    stack: Stack
    template: bytes
    acknowledged: list[Acknowledged] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)

    def send(self, references: Iterable[str], *, lanes: int = 4, repeat_every: int = 5) -> None:
        """Send an archive for each reference; each of the n-th archives is sent twice more."""
        numbered = list(enumerate(references))
        with ThreadPoolExecutor(lanes) as pool:
            done = [
                pool.submit(self._send_one, reference, 1 if number % repeat_every else 3)
                for number, reference in numbered
            ]
        for each in done:
            each.result()

    def _send_one(self, reference: str, times: int) -> None:
        body = archive(self.template, reference)
        took_s = [self._until_acknowledged(body) for _ in range(times)]
        self.acknowledged.append(Acknowledged(reference, sha256(body).hexdigest(), time.time(), times, took_s))

    def _until_acknowledged(self, body: bytes) -> float:
        """Return the seconds of the request that was acknowledged."""
        deadline = time.monotonic() + _GIVE_UP_S
        while time.monotonic() < deadline:
            begun = time.monotonic()
            if self.is_acknowledged(body):
                return time.monotonic() - begun
            time.sleep(_AGAIN_AFTER_S)
        raise AssertionError(f"an archive was not acknowledged within {_GIVE_UP_S} s; refused: {self.refused}")

    def is_acknowledged(self, body: bytes) -> bool:
        headers = {"authorization": f"Bearer {self.stack.secret}", "content-type": "application/json"}
        url = f"{self.stack.url}/webhooks/cellosign"
        try:
            answer = httpx.post(
                url, content=body, headers=headers, timeout=_ANSWER_WITHIN_S, trust_env=False, verify=_NO_CERTIFICATES
            )
        except httpx.HTTPError as error:
            why = type(error).__name__
        else:
            if answer.is_success:
                return bool(answer.json()["status"] == "0")
            why = str(answer.status_code)  # nginx writes pages of its own
        self.refused[why] = self.refused.get(why, 0) + 1
        return False
