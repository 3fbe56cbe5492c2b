"""The clock of the fortnight, which each process follows. Durations and pauses stay real."""

import threading
import time
from datetime import datetime
from pathlib import Path

import time_machine

_LOOKS_EACH_S = 0.01


class Clock:
    """The time of this process from now on: it goes on as real time does, and jumps when it is set."""

    def __init__(self, at: datetime) -> None:
        self._traveller = time_machine.travel(at, tick=True).start()

    def set(self, at: datetime) -> None:
        self._traveller.move_to(at)


def set_file(path: Path, at: datetime) -> None:
    """Write the time for a process that follows a file. It jumps a little later."""
    part = path.with_suffix(".part")
    part.write_text(at.isoformat())
    part.rename(path)


def follow_file(path: Path) -> None:
    """Let this process live by the time that a file says."""
    at = datetime.fromisoformat(path.read_text())
    threading.Thread(target=_keep_following, args=(path, at, Clock(at)), daemon=True).start()


def _keep_following(path: Path, at: datetime, clock: Clock) -> None:
    while True:
        time.sleep(_LOOKS_EACH_S)
        if (now := datetime.fromisoformat(path.read_text())) != at:
            at = now
            clock.set(at)
