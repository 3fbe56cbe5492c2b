"""The clock of the fortnight, which each process follows. Durations and pauses stay real."""

import threading
import time
from datetime import datetime
from pathlib import Path

import time_machine

_LOOKS_EACH_S = 0.005


class Clock:
    """The time of this process from now on: it goes on as real time does, and jumps when it is set."""

    def __init__(self, at: datetime) -> None:
        self._traveller = time_machine.travel(at, tick=True).start()

    def set(self, at: datetime) -> None:
        self._traveller.move_to(at)


def set_file(path: Path, at: datetime) -> None:
    """Write the time for a process that follows a file. It jumps a little later, and then `is_followed`."""
    _write(path, at.isoformat())


def is_followed(path: Path) -> bool:
    """Return whether the process that follows a file lives by the time that the file says now."""
    followed = path.with_suffix(".followed")
    return followed.exists() and followed.read_text() == path.read_text()


def follow_file(path: Path) -> None:
    """Let this process live by the time that a file says."""
    text = path.read_text()
    clock = Clock(datetime.fromisoformat(text))
    threading.Thread(target=_keep_following, args=(path, text, clock), daemon=True).start()


def _keep_following(path: Path, text: str, clock: Clock) -> None:
    while True:
        _write(path.with_suffix(".followed"), text)
        while (now := path.read_text()) == text:
            time.sleep(_LOOKS_EACH_S)
        text = now
        clock.set(datetime.fromisoformat(text))


def _write(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_text(text)
    part.rename(path)
