"""Runs `cellar api` in a forked process, which has imported all: imports are most of the time of a start.

Receivers start as their users start them in `end_to_end/`, `distributed/` and `image/`, and in a test of outages.
"""

import ctypes
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import uvicorn  # noqa: F401 -- imported once for all receivers

import api.app
import api.receiver.protocol  # noqa: F401
from cli.main import main
from cli.programs.api import MALLOC
from services.access import log as access_log
from tests.conftest import running
from tests.killed import begun

_OF_MALLOC = {"MALLOC_MMAP_THRESHOLD_": -3, "MALLOC_TRIM_THRESHOLD_": -1}
"""The numbers of malloc's settings. libc reads the variables before Python starts. Source: malloc.h."""


class forked_receiver(running):  # noqa: N801 -- reads as a verb: with forked_receiver(...)
    """`cellar api` in its own process group, with the settings of this process. It ends with the block."""

    process: "Forked"  # type: ignore[assignment]

    def __init__(self, log: Path) -> None:
        self._log = log

    def __enter__(self) -> "Forked":  # type: ignore[override]
        self.process = Forked(self._log)
        return self.process


class Forked:
    """A forked receiver, as `subprocess.Popen` shows a program."""

    def __init__(self, log: Path) -> None:
        self._process = begun(_receive, log)
        self.pid: int = self._process.pid or 0

    def poll(self) -> int | None:
        self._process.join(0)
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("cellar api", timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _receive(log: Path) -> None:
    os.setsid()
    with log.open("ab") as output:
        for number in (1, 2):
            os.dup2(output.fileno(), number)
    os.environ.update(MALLOC)
    for name, value in MALLOC.items():
        ctypes.CDLL(None).mallopt(_OF_MALLOC[name], int(value))
    access_log._ME = secrets.token_hex(8)  # as a process that imports it
    access_log._chain.begin()
    sys.argv = ["cellar", "api"]
    main()
