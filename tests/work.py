"""Counts the work of a call, in Python and in SQLite: the same on every machine."""

import sqlite3
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from sqlalchemy import event

from adapters.database.connections import engine

_STEPS_AT_ONCE = 100


def work_of(call: Callable[[], object]) -> int:
    """Run a call, and return how many lines of Python it has executed in this thread, and how many steps in SQLite."""
    counted = 0

    def _line(_frame: FrameType, kind: str, _argument: Any) -> Any:
        nonlocal counted
        counted += kind == "line"
        return _line

    def _steps() -> int:
        nonlocal counted
        counted += _STEPS_AT_ONCE
        return 0  # go on

    def _count_steps(_connection: Any, cursor: sqlite3.Cursor, *_: Any) -> None:
        cursor.connection.set_progress_handler(_steps, _STEPS_AT_ONCE)

    before = sys.gettrace()
    event.listen(engine(), "before_cursor_execute", _count_steps)
    sys.settrace(_line)
    try:
        call()
    finally:
        sys.settrace(before)
        event.remove(engine(), "before_cursor_execute", _count_steps)
    return counted
