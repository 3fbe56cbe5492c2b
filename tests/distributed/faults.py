"""Breaks one part of the installation and mends it."""

import signal
import time
from dataclasses import dataclass

from tests.distributed.stack import Stack


@dataclass(frozen=True)
class Fault:
    """A part that is away for a while: killed, or, for nginx, told to read its configuration again."""

    part: str
    down_s: float = 10

    def begin(self, stack: Stack) -> None:
        if self.part == "nginx":
            stack[self.part].signal(signal.SIGHUP)
        else:
            stack[self.part].kill()

    def end(self, stack: Stack) -> None:
        """Start the part again, as its supervisor does, without waiting until it is ready."""
        if self.part != "nginx":
            stack[self.part].begin()

    def happen(self, stack: Stack) -> None:
        self.begin(stack)
        time.sleep(self.down_s)
        self.end(stack)


FAULTS = tuple(
    map(Fault, ("receiver-1", "worker-1", "prefect-1", "prefect-services", "nginx", "redis", "postgres", "s3"))
)
