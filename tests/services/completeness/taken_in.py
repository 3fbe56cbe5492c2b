"""Takes in session events in a process that may be killed with SIGKILL right before a given write."""

import sys
from ctypes import c_int
from signal import SIGKILL
from typing import Any

from adapters.inbox import session_events
from services.completeness.session_events import take_in
from tests.killed import FORKED, Countdown, count_writes, exit_status


def writes_of_taking_in() -> int:
    """Take in everything, and return the number of writes."""
    made: Any = FORKED.Value(c_int, lock=False)
    assert exit_status(_take_in, sys.maxsize, made) == 0
    return int(made.value)


def kill_before_write(number: int) -> None:
    """Take in, in a process that is killed after `number` writes."""
    assert exit_status(_take_in, number, FORKED.Value(c_int, lock=False)) == -SIGKILL


def _take_in(writes: int, made: Any) -> None:
    countdown = Countdown(writes)
    count_writes(countdown)
    take_in(session_events.batches())
    made.value = countdown.made
