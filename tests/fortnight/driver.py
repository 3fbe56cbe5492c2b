"""Plays a fortnight to a real receiver and a real worker's work, each a process that is killed ten times."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import httpx

from adapters.settings.settings import settings
from cli.programs.api import MALLOC
from tests.conftest import answers, wait_until
from tests.fortnight.bodies import archive_body, event_body
from tests.fortnight.clock import is_followed, set_file
from tests.fortnight.downstream import Downstream
from tests.fortnight.plan import BEGIN, Fortnight, Victim, rounds

ROOT = Path(__file__).parents[2]
_BEFORE_ROUND = timedelta(minutes=1)
_AT_ONCE = 8
_KEPT_S = 1
"""Connections are kept for less time than the receiver keeps them."""


@dataclass(frozen=True, slots=True)
class Arrival:
    at: datetime
    source: str
    body: bytes = field(repr=False)


def arrivals(fortnight: Fortnight) -> list[Arrival]:
    """Return all that Cellosign sends, in order."""
    found = []
    for each in fortnight.processes:
        found += [Arrival(at, each.source, event_body(each, event)) for event in each.events for at in event.arrives_at]
        if each.archive_at:
            found.append(Arrival(each.archive_at, each.source, archive_body(each, each.archive_at)))
    return sorted(found, key=lambda it: it.at)


def _client() -> httpx.Client:
    return httpx.Client(timeout=30, trust_env=False, limits=httpx.Limits(keepalive_expiry=_KEPT_S))


class Program:
    """A program of the fortnight, which can be killed and started again."""

    def __init__(self, module: str, clock: Path, log: Path) -> None:
        self._command = [sys.executable, "-m", f"tests.fortnight.{module}", str(clock)]
        self._log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                env=os.environ | MALLOC | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if "working" in self._command[2] else log,
                stderr=log,
            )

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def kill(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        with suppress(BrokenPipeError):  # a line that it has not read
            self.process.communicate()


class Player:
    """Plays a fortnight. `secrets` are the secrets of the sources."""

    def __init__(self, fortnight: Fortnight, folder: Path, downstream: Downstream, secrets: dict[str, str]) -> None:
        self._fortnight, self._downstream, self._secrets = fortnight, downstream, secrets
        self._clock, self._random = folder / "clock", Random(1)
        set_file(self._clock, BEGIN)
        self._receiver = Program("receiving", self._clock, folder / "receiver.log")
        self._worker = Program("working", self._clock, folder / "worker.log")
        self._client, self._threads = _client(), ThreadPoolExecutor(_AT_ONCE)
        self._kills = {each.at: each.victim for each in fortnight.kills}
        self.killed: list[Victim] = []

    def play(self) -> None:
        left = arrivals(self._fortnight)
        with self._running():
            for at in rounds(until=self._fortnight.until):
                self._downstream.is_down = self._fortnight.down_from <= at < self._fortnight.down_until
                due = [each for each in left if each.at < at]
                left = left[len(due) :]
                self._set_receiver(at - _BEFORE_ROUND)
                self._send(due, kill=self._kills.get(at) is Victim.RECEIVER)
                self._work(at, kill=self._kills.get(at) is Victim.WORKER)

    @contextmanager
    def _running(self) -> Iterator[None]:
        self._start_receiver()
        self._worker.start()
        try:
            yield
        finally:
            self._receiver.kill()
            self._worker.kill()
            self._threads.shutdown()

    def _start_receiver(self) -> None:
        self._receiver.start()
        self._client.close()
        self._client = _client()
        wait_until(lambda: self._receiver.has_ended() or answers(f"{settings().receiver_url}/healthz"), timeout_s=60)
        assert not self._receiver.has_ended(), "the receiver has ended; see its log"

    def _set_receiver(self, at: datetime) -> None:
        """Set the receiver's clock."""
        set_file(self._clock, at)
        until_s = time.monotonic() + 60
        while not is_followed(self._clock):
            assert time.monotonic() < until_s, "the receiver does not follow its clock; see its log"
            time.sleep(0.002)

    def _send(self, due: Sequence[Arrival], *, kill: bool) -> None:
        """Send, as Cellosign does, until each is acknowledged. A kill comes in the middle."""
        if kill and not due:
            self._receiver.kill()
            self.killed.append(Victim.RECEIVER)
            self._start_receiver()
        sent = [self._threads.submit(self._post, each) for each in due]
        if kill and due:
            sent[len(sent) // 2].result()
            self._receiver.kill()
            self.killed.append(Victim.RECEIVER)
        left = [each for each, made in zip(due, sent, strict=True) if not made.result()]
        if kill and due:
            self._start_receiver()
        if left:
            assert kill, "the receiver did not acknowledge"
            self._send(left, kill=False)

    def _post(self, arrival: Arrival) -> bool:
        """Send a body, and return whether it is acknowledged."""
        url = f"{settings().receiver_url}/webhooks/cellosign"
        url += "" if arrival.source == "default" else f"/{arrival.source}"
        headers = {"authorization": f"Bearer {self._secrets[arrival.source]}", "content-type": "application/json"}
        try:
            answer = self._client.post(url, content=arrival.body, headers=headers)
            return bool(answer.json()["status"] == "0")
        except (httpx.HTTPError, ValueError):
            return False

    def _work(self, at: datetime, *, kill: bool) -> None:
        """Let the worker do a round. If it is killed in the middle, the next worker does it again."""
        assert self._worker.process
        assert self._worker.process.stdin
        self._worker.process.stdin.write(f"{at.isoformat()}\n".encode())
        self._worker.process.stdin.flush()
        if kill:
            with ThreadPoolExecutor(1) as threads:
                done = threads.submit(self._done)
                with suppress(TimeoutError):
                    done.result(timeout=self._random.uniform(0.0, 0.5))
                self._worker.kill()
            self.killed.append(Victim.WORKER)
            self._worker.start()
            self._work(at, kill=False)
        else:
            assert self._done(), "the worker has ended; see its log"

    def _done(self) -> bool:
        """Return whether the worker says that the round is done. Its log comes before."""
        assert self._worker.process
        assert self._worker.process.stdout
        return any(line == b"done\n" for line in self._worker.process.stdout)
