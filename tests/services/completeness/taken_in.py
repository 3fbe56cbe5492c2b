"""Takes in session events in a process that may be killed with SIGKILL right before a given write."""

import os
import sys
from collections.abc import Mapping
from ctypes import c_int
from multiprocessing import get_context
from signal import SIGKILL
from typing import Any

from adapters.inbox import session_events
from services.completeness.session_events import take_in
from tests.flows.killed import Countdown, count_writes

_FORKED = get_context("forkserver")
_FORKED.set_forkserver_preload([__name__])
_LONGEST_S = 240


def writes_of_taking_in() -> int:
    """Take in everything, and return the number of writes."""
    made: Any = _FORKED.Value(c_int, lock=False)
    assert _exit_status(sys.maxsize, made) == 0
    return int(made.value)


def kill_before_write(number: int) -> None:
    """Take in, in a process that is killed after `number` writes."""
    assert _exit_status(number, _FORKED.Value(c_int, lock=False)) == -SIGKILL


def _exit_status(writes: int, made: Any) -> int | None:
    process = _FORKED.Process(target=_take_in, args=(dict(os.environ), writes, made))
    process.start()
    process.join(_LONGEST_S)
    process.kill()  # in case it hangs
    process.join()
    return process.exitcode


def _take_in(environment: Mapping[str, str], writes: int, made: Any) -> None:
    os.environ.clear()
    os.environ.update(environment)
    countdown = Countdown(writes)
    count_writes(countdown)
    take_in(session_events.batches())
    made.value = countdown.made
