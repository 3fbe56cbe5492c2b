"""Processes receipts in a separate process, which may be killed with SIGKILL right before a given write.

Each receipt goes through the functions that the flow calls. Writes are counted as in `killed.py`.
"""

import sys
from collections.abc import Sequence
from ctypes import c_int
from signal import SIGKILL
from typing import Any

from tests.installations import finished
from tests.killed import FORKED, Countdown, count_writes, exit_status

Receipts = Sequence[tuple[str, str]]
"""References of processes, each with a receipt id."""


def writes_of(receipts: Receipts) -> int:
    """Process receipts to their end, and return the number of writes."""
    made: Any = FORKED.Value(c_int, lock=False)
    assert exit_status(_take, sys.maxsize, receipts, made) == 0
    return int(made.value)


def kill_before_write(number: int, receipts: Receipts) -> bool:
    """Process receipts in a process that is killed after `number` writes. Return whether it was killed."""
    status = exit_status(_take, number, receipts, FORKED.Value(c_int, lock=False))
    assert status in (0, -SIGKILL)
    return status == -SIGKILL


def _take(writes: int, receipts: Receipts, made: Any) -> None:
    countdown = Countdown(writes)
    count_writes(countdown)
    for reference, receipt_id in receipts:
        finished(reference, receipt_id)
    made.value = countdown.made
