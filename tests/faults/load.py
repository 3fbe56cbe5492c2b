"""Sends archives as Cellosign does: again and again, until each is acknowledged. Remembers what was acknowledged."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.samples import sample_body

_SENDERS = 4
_AGAIN_AFTER_S = 0.2
_ANSWERED_WITHIN_S = 60
_GIVES_UP_AFTER_S = 300


@dataclass
class Sent:
    """What became of the bodies of a test, by receipt id. A body may be acknowledged several times."""

    references: dict[str, str] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    acknowledged: dict[str, int] = field(default_factory=dict)
    unanswered: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def send(self, url: str, secret: str, reference: str, body: bytes | None = None) -> bool:
        """Send a body once, and return whether it was acknowledged."""
        body = sample_body(reference) if body is None else body
        receipt_id = hashlib.sha256(body).hexdigest()
        with self._lock:
            self.references[receipt_id], self.bodies[receipt_id] = reference, body
        try:
            with httpx.Client(timeout=_ANSWERED_WITHIN_S, trust_env=False) as client:
                headers = {"authorization": f"Bearer {secret}"}
                answer = client.post(f"{url}/webhooks/cellosign", content=body, headers=headers).json()
        except (httpx.HTTPError, ValueError):
            with self._lock:
                self.unanswered += 1
            return False
        if answer["status"] != "0":
            return False
        assert answer["document"]["reference"] == receipt_id
        with self._lock:
            self.acknowledged[receipt_id] = self.acknowledged.get(receipt_id, 0) + 1
        return True

    def send_until_acknowledged(self, url: str, secret: str, reference: str) -> None:
        deadline = time.monotonic() + _GIVES_UP_AFTER_S
        while not self.send(url, secret, reference):
            assert time.monotonic() < deadline, f"{reference} was not acknowledged"
            time.sleep(_AGAIN_AFTER_S)


@contextmanager
def under_load(url: str, secret: str, references: Iterable[str], pause_s: float = 0.0) -> Iterator[Sent]:
    """Send archives beside the block until all are acknowledged, `pause_s` apart in each of four senders."""
    sent, left = Sent(), iter(list(references))
    lock = threading.Lock()

    def _sender() -> None:
        while True:
            with lock:
                reference = next(left, None)
            if reference is None:
                return
            sent.send_until_acknowledged(url, secret, reference)
            time.sleep(pause_s)

    with ThreadPoolExecutor(_SENDERS) as pool:
        sending = [pool.submit(_sender) for _ in range(_SENDERS)]
        yield sent
        for each in sending:
            each.result()


def at_once(senders: int, send: Callable[[], bool]) -> int:
    """Do the same from many threads at the same time, and return how often it succeeded."""
    start = threading.Barrier(senders)

    def _send() -> bool:
        start.wait(60)
        return send()

    with ThreadPoolExecutor(senders) as pool:
        return sum(each.result() for each in [pool.submit(_send) for _ in range(senders)])


@contextmanager
def cut_off(sent: Sent, url: str, secret: str, prefix: str) -> Iterator[None]:
    """Send archives beside the block, each once, until the first after the block that is not acknowledged."""
    is_over = threading.Event()

    def _sender(name: str) -> None:
        number = 0
        while sent.send(url, secret, f"{prefix}-{name}-{number}") or not is_over.is_set():
            number += 1

    with ThreadPoolExecutor(_SENDERS) as pool:
        sending = [pool.submit(_sender, str(number)) for number in range(_SENDERS)]
        yield
        is_over.set()
        for each in sending:
            each.result()
