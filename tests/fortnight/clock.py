"""The clock of the fortnight: a file with a time, which each process follows. Durations and pauses stay real."""

import threading
import time
from datetime import datetime
from pathlib import Path

import time_machine

_LOOKS_EACH_S = 0.01


def set_clock(path: Path, at: datetime) -> None:
    """Set the clock. Processes follow within a few hundredths of a second."""
    part = path.with_suffix(".part")
    part.write_text(at.isoformat())
    part.rename(path)


def follow(path: Path) -> None:
    """Let this process live by the clock from now on: its time goes on as real time does, and jumps when it is set."""
    at = datetime.fromisoformat(path.read_text())
    traveller = time_machine.travel(at, tick=True).start()
    threading.Thread(target=_keep_following, args=(path, at, traveller), daemon=True).start()


def _keep_following(path: Path, at: datetime, traveller: time_machine.Traveller) -> None:
    while True:
        time.sleep(_LOOKS_EACH_S)
        if (now := datetime.fromisoformat(path.read_text())) != at:
            at = now
            traveller.move_to(at)
