"""A way to a server that can be spoiled: cut, hung, slowed, or answered in the server's place."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.conftest import free_port
from tests.faults import way
from tests.faults.way import Fault


class FaultyWay:
    """Passes TCP connections on to a server. A fault applies to new and to open connections."""

    def __init__(self, server_port: int) -> None:
        self.port = free_port()
        self._server_port = server_port

    @contextmanager
    def running(self) -> Iterator["FaultyWay"]:
        command = [sys.executable, "-P", way.__file__, str(self.port), str(self._server_port)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as self._process:
            try:
                self._say("")
                yield self
            finally:
                self._process.kill()

    def spoil(self, fault: Fault) -> None:
        self._say(fault)
        if fault is Fault.CUT:
            self._say("break")

    def heal(self) -> int:
        """Let everything pass from now on, on new connections. Return how many pieces were spoiled so far."""
        self._say(Fault.NONE)
        return self._say("break")

    def lead_to(self, server_port: int) -> None:
        """Move the address to another server."""
        self._say(str(server_port))
        self._say("break")

    def _say(self, line: str) -> int:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())
