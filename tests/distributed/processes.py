"""A process with a name, which can be killed and started again at the same address.

What ends by itself starts again, as systemd, Kubernetes and compose do: Prefect's services end when Redis is away.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

_READY_WITHIN_S = 600
_END_WITHIN_S = 30
_TAIL_BYTES = 4000
_RESTART_AFTER_S = 1


@dataclass
class Process:
    """A part of an installation. Its output of all starts is in one log."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    is_ready: Callable[[], bool]
    user: str | None = None
    """The system's user to run as, for programs that refuse to run as root."""
    running: "subprocess.Popen[bytes] | None" = field(default=None, init=False, repr=False)
    is_supervised: bool = field(default=False, init=False)
    _is_wanted: bool = field(default=False, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def begin(self) -> None:
        """Start the process, and do not wait."""
        with self._lock:
            self._begin()
            self._is_wanted = True

    def begin_again(self) -> None:
        """Start the process if it has ended by itself."""
        with self._lock:
            if self._is_wanted and not self.is_alive():
                self._begin()

    def _begin(self) -> None:
        as_user = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        with self.log.open("ab") as output:
            self.running = subprocess.Popen(
                self.command,
                env=dict(self.environment),
                cwd=self.log.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **as_user,  # type: ignore[call-overload]
            )

    def wait(self) -> None:
        """Wait until the process is ready."""
        deadline = time.monotonic() + _READY_WITHIN_S
        while not self.is_ready():
            assert self.is_supervised or self.is_alive(), f"{self.name} ended at its start:\n{self.tail()}"
            assert time.monotonic() < deadline, f"{self.name} is not ready after {_READY_WITHIN_S} s:\n{self.tail()}"
            time.sleep(0.1)

    def start(self) -> None:
        self.begin()
        self.wait()

    def kill(self) -> None:
        """End the process and its children at once, as a power cut of their machine does."""
        assert self.running
        with self._lock:
            self._is_wanted = False
        for pid in self.pids():  # the parent first: it would report the end of its children
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.running.wait(_END_WITHIN_S)

    def stop(self, within_s: float = _END_WITHIN_S) -> None:
        """Ask the process to end, and end it if it does not."""
        with self._lock:
            self._is_wanted = False
        self.signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            assert self.running
            self.running.wait(within_s)
        self.kill()

    def signal(self, number: int) -> None:
        assert self.running
        with suppress(ProcessLookupError):
            os.kill(self.running.pid, number)

    def is_alive(self) -> bool:
        return self.running is not None and self.running.poll() is None

    def pids(self) -> list[int]:
        """Return the process and its descendants."""
        return _family(self.running.pid) if self.running and self.is_alive() else []

    def tail(self) -> str:
        return self.log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace") if self.log.exists() else ""


@contextmanager
def supervised(processes: Iterable[Process]) -> Iterator[None]:
    """Start each process again that ends by itself, as long as the block lasts."""
    ended = threading.Event()

    def supervise() -> None:
        while not ended.wait(_RESTART_AFTER_S):
            for each in processes:
                each.begin_again()

    for each in processes:
        each.is_supervised = True
    thread = threading.Thread(target=supervise)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _family(pid: int) -> list[int]:
    children: list[str] = []
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            children += (thread / "children").read_text().split()
    return [pid, *(each for child in children for each in _family(int(child)))]
