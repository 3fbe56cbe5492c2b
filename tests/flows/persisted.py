"""Processes receipts in a separate process, which may be killed with SIGKILL right before a given write.

Each receipt goes through the functions that the flow calls. Writes are counted as in `killed.py`. Each process is
forked from a parent that has imported all modules, because the imports take longer than the work.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from ctypes import c_int
from multiprocessing import get_context
from signal import SIGKILL
from typing import Any

from tests.flows.killed import Countdown, count_writes
from tests.installations import finished

_FORKED = get_context("forkserver")
_FORKED.set_forkserver_preload([__name__])
_LONGEST_S = 240

Receipts = Sequence[tuple[str, str]]
"""References of processes, each with a receipt id."""


def writes_of(receipts: Receipts) -> int:
    """Process receipts to their end, and return the number of writes."""
    made: Any = _FORKED.Value(c_int, lock=False)
    assert _exit_status(sys.maxsize, receipts, made) == 0
    return int(made.value)


def kill_before_write(number: int, receipts: Receipts) -> bool:
    """Process receipts in a process that is killed after `number` writes. Return whether it was killed."""
    status = _exit_status(number, receipts, _FORKED.Value(c_int, lock=False))
    assert status in (0, -SIGKILL)
    return status == -SIGKILL


def _exit_status(writes: int, receipts: Receipts, made: Any) -> int | None:
    process = _FORKED.Process(target=_take, args=(dict(os.environ), writes, receipts, made))
    process.start()
    process.join(_LONGEST_S)
    process.kill()  # in case it hangs
    process.join()
    return process.exitcode


def _take(environment: Mapping[str, str], writes: int, receipts: Receipts, made: Any) -> None:
    os.environ.clear()
    os.environ.update(environment)
    countdown = Countdown(writes)
    count_writes(countdown)
    for reference, receipt_id in receipts:
        finished(reference, receipt_id)
    made.value = countdown.made
