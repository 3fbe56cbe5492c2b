"""Rotates the log files of the programs under `cellar up`, and follows their rotation.

A program appends to its log by itself, so its lines outlive the supervisor, and a kill loses none. The supervisor alone
renames logs. Each process then opens the new file within a second; until then its lines go to the renamed file. So no
line is lost, however many processes share a log.
"""

import os
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import orjson

LOG_FILE_VARIABLE = "LOG_FILE_OF_CELLAR_UP"
"""The environment variable that gives a program the path of its log."""
_KEPT = 5
_LIMIT_BYTES = 16 << 20
_LOOK_S = 1.0
_MODE = 0o600


def open_log(log: Path) -> int:
    """Open a log for appending, readable for its owner alone, and return the descriptor.

    Raises:
        OSError: the log cannot be opened.
    """
    return os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)


def older(log: Path) -> list[Path]:
    """Return the paths of the renamed files of a log, newest first, whether or not they exist."""
    return [log.with_name(f"{log.name}.{number}") for number in range(1, _KEPT + 1)]


def rotate(log: Path, limit_bytes: int = _LIMIT_BYTES) -> bool:
    """Rename a log that is larger than the limit, and return whether it was. The oldest file is replaced.

    Raises:
        OSError: the log cannot be renamed, or was removed.
    """
    if log.stat().st_size <= limit_bytes:
        return False
    files = [log, *older(log)]
    for path, next_path in reversed(list(pairwise(files))):
        with suppress(FileNotFoundError):
            path.replace(next_path)
    os.close(open_log(log))
    return True


def append_line(log: Path, event: str) -> None:
    """Append a line to the log of a program that prints for people, and rotate the log when it is large.

    Raises:
        OSError: the log cannot be written.
    """
    line = {"timestamp": datetime.now(UTC).isoformat(), "level": "warning", "event": event}
    with os.fdopen(open_log(log), "ab") as file:
        file.write(orjson.dumps(line) + b"\n")
    rotate(log)


def follow_rotation(log: Path) -> None:
    """Watch a log in a thread, and direct this process's output to the new file once the log was renamed.

    A thread rather than a check before each line: a trace that the interpreter writes by itself goes there too.
    """

    def _follow() -> None:
        while True:
            time.sleep(_LOOK_S)
            with suppress(OSError):  # the disk is full, or the folder is gone: the present file still takes lines
                reopen_if_renamed(log)

    threading.Thread(target=_follow, name="log rotation", daemon=True).start()


def reopen_if_renamed(log: Path) -> None:
    """Direct standard output and standard error to the log, if another file is open in place of it.

    Raises:
        OSError: the log cannot be opened.
    """
    with suppress(FileNotFoundError):
        if os.path.samestat(log.stat(), os.fstat(2)):
            return
    opened = open_log(log)
    try:
        for descriptor in (1, 2):
            os.dup2(opened, descriptor)
    finally:
        os.close(opened)
