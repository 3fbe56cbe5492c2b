"""Plays a fortnight to a real receiver and a real worker's work, each a process that is killed ten times."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from random import Random

from adapters.settings.settings import settings
from cli.programs.api import MALLOC
from tests.conftest import LONGEST_S, answers, wait_until
from tests.fortnight.bodies import archive_body, event_body
from tests.fortnight.clock import is_followed, set_file
from tests.fortnight.downstream import Downstream
from tests.fortnight.plan import BEGIN, Fortnight, Victim, rounds

ROOT = Path(__file__).parents[2]
_BEFORE_ROUND = timedelta(minutes=1)
_AT_ONCE = 8


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


class Program:
    """A program of the fortnight, which is killed and is there again."""

    def __init__(self, module: str, clock: Path, folder: Path) -> None:
        self._pid_file = folder / f"{module}.pid"
        self._command = [sys.executable, "-m", f"tests.fortnight.{module}", str(clock), str(self._pid_file)]
        self._log = folder / f"{module}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=os.environ | MALLOC | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if "working" in self._command[2] else log,
                stderr=log,
            )
        wait_until(self._pid_file.exists)

    def kill(self) -> None:
        """Kill the process that does the work, and return when the next one is there."""
        killed = self._pid_file.read_text()
        os.kill(int(killed), signal.SIGKILL)
        wait_until(lambda: self._pid_file.read_text() != killed)

    def stop(self) -> None:
        assert self._process
        self._process.kill()
        os.kill(int(self._pid_file.read_text()), signal.SIGKILL)
        self._process.communicate()

    def ask(self, line: str) -> None:
        assert self._process
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def has_answered(self, line: str) -> bool:
        """Return whether the program says so, before it ends. Its log comes before."""
        assert self._process
        assert self._process.stdout
        return any(each == f"{line}\n".encode() for each in self._process.stdout)


class Player:
    """Plays a fortnight. `secrets` are the secrets of the sources."""

    def __init__(self, fortnight: Fortnight, folder: Path, downstream: Downstream, secrets: dict[str, str]) -> None:
        self._fortnight, self._downstream, self._secrets = fortnight, downstream, secrets
        self._clock, self._random = folder / "clock", Random(1)
        set_file(self._clock, BEGIN)
        self._receiver = Program("receiving", self._clock, folder)
        self._worker = Program("working", self._clock, folder)
        self._numbers = count()
        self._threads = ThreadPoolExecutor(_AT_ONCE)
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
        self._receiver.start()
        self._await_receiver()
        self._worker.start()
        try:
            yield
        finally:
            self._receiver.stop()
            self._worker.stop()
            self._threads.shutdown()

    def _kill_receiver(self) -> None:
        self._receiver.kill()
        self.killed.append(Victim.RECEIVER)

    def _await_receiver(self) -> None:
        wait_until(lambda: answers(f"{settings().receiver_url}/healthz"))

    def _set_receiver(self, at: datetime) -> None:
        """Set the receiver's clock."""
        set_file(self._clock, at)
        until_s = time.monotonic() + LONGEST_S
        while not is_followed(self._clock):
            assert time.monotonic() < until_s, "the receiver does not follow its clock; see its log"
            time.sleep(0.002)

    def _send(self, due: Sequence[Arrival], *, kill: bool) -> None:
        """Send, as Cellosign does, until each is acknowledged. A kill comes in the middle."""
        if kill and not due:
            self._kill_receiver()
            self._await_receiver()
        sent = [self._threads.submit(self._post, each) for each in due]
        if kill and due:
            sent[len(sent) // 2].result()
            self._kill_receiver()
        left = [each for each, made in zip(due, sent, strict=True) if not made.result()]
        if kill and due:
            self._await_receiver()
        if left:
            assert kill, "the receiver did not acknowledge"
            self._send(left, kill=False)

    def _post(self, arrival: Arrival) -> bool:
        """Send a body, and return whether it is acknowledged."""
        path = "/webhooks/cellosign" + ("" if arrival.source == "default" else f"/{arrival.source}")
        headers = {"authorization": f"Bearer {self._secrets[arrival.source]}", "content-type": "application/json"}
        try:
            with closing(HTTPConnection(settings().host, settings().port, timeout=LONGEST_S)) as connection:
                connection.request("POST", path, arrival.body, headers)
                return bool(json.loads(connection.getresponse().read())["status"] == "0")
        except (OSError, HTTPException, ValueError):
            return False

    def _work(self, at: datetime, *, kill: bool) -> None:
        """Let the worker do a round. If it is killed in the middle, the next worker does it again."""
        number = next(self._numbers)
        self._worker.ask(f"{number} {at.isoformat()}")
        assert self._worker.has_answered(f"begun {number}"), "the worker has ended; see its log"
        if kill:
            time.sleep(self._random.uniform(0.0, 0.5))
            self._worker.kill()
            self.killed.append(Victim.WORKER)
            self._work(at, kill=False)
        else:
            assert self._worker.has_answered(f"done {number}"), "the worker has ended; see its log"
