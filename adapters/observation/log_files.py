"""Rotates the log files of the programs under `cellar up`, follows their rotation, and reads all, merged by time.

A program appends to its log by itself, so its lines outlive the supervisor, and a kill loses none. The supervisor alone
renames logs. Each process then opens the new file within a second; until then its lines go to the renamed file. So no
line is lost, however many processes share a log.
"""

import heapq
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import structlog

LOG_FILE_VARIABLE = "LOG_FILE_OF_CELLAR_UP"
"""The environment variable that gives a program the path of its log."""
_KEPT = 5
_LIMIT_BYTES = 16 << 20
_LOOK_S = 1.0
_MODE = 0o600


def open_log(log: Path) -> int:
    """Open a log for appending, readable for its owner alone, and return the descriptor.

    Raises OSError if the log cannot be opened.
    """
    return os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)


def older(log: Path) -> list[Path]:
    """Return the paths of the renamed files of a log, newest first, whether or not they exist."""
    return [log.with_name(f"{log.name}.{number}") for number in range(1, _KEPT + 1)]


def rotate(log: Path, limit_bytes: int = _LIMIT_BYTES) -> bool:
    """Rename a log that is larger than the limit, and return whether it was. The oldest file is replaced.

    Raises OSError if the log cannot be renamed, or was removed.
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

    Raises OSError if the log cannot be written.
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

    Raises OSError if the log cannot be opened.
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


_READ_EACH_S = 0.3
_RENAMED_READ_FOR_S = 3.0  # a program opens the new file within a second
_LEVELS = logging.getLevelNamesMapping()
_BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a program's log. A line that is no JSON, as in a trace of the interpreter, has the time before it."""

    at: datetime
    program: str
    raw: bytes
    fields: dict[str, Any] = field(compare=False)

    @property
    def level(self) -> int:
        return self.level_of(str(self.fields.get("level", "")))

    @staticmethod
    def level_of(name: str) -> int:
        """Return the rank of a level. A line without one is part of a trace, or was printed by another program."""
        return _LEVELS.get(name.upper(), logging.INFO)


def human_renderer(*, colors: bool) -> structlog.dev.ConsoleRenderer:
    """Return what makes text for people of an event. A trace shows no local variables: they may hold payloads."""
    return structlog.dev.ConsoleRenderer(
        colors=colors,
        pad_event_to=0,
        pad_level=False,
        sort_keys=False,
        exception_formatter=structlog.dev.plain_traceback,
    )


def text_of(line: str) -> str:
    """Return a line of a log as people read it. A line that is no JSON stays as it is."""
    fields = _fields(line.encode())
    return _PLAIN(None, "", _printable(fields)) if fields else line


def human_text(line: LogLine, *, colors: bool) -> str:
    """Return a line for people, with the name of its program."""
    fields = _printable(line.fields) or {"timestamp": "", "event": _escaped(line.raw.decode(errors="replace"))}
    fields["event"] = f"{line.program}: {fields.get('event', '')}"
    return (_COLOURED if colors else _PLAIN)(None, "", fields)


def _printable(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields with escapes in place of characters that move the cursor, colour text or reverse it."""
    return {name: _escaped(value) if isinstance(value, str) else value for name, value in fields.items()}


def _escaped(text: str) -> str:
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode() for each in text
    )


def _fields(raw: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(raw)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) and "timestamp" in fields else {}


_PLAIN, _COLOURED = human_renderer(colors=False), human_renderer(colors=True)


def lines_of(folder: Path) -> Iterator[LogLine]:
    """Yield the lines of all logs in a folder, oldest first."""
    with ExitStack() as opened:
        yield from heapq.merge(*(_OpenLog(log, opened).lines() for log in logs_in(folder)), key=lambda line: line.at)


def followed(folder: Path) -> Iterator[LogLine]:
    """Yield the lines of all logs in a folder, oldest first, then each line as it is written, without end."""
    with ExitStack() as opened:
        followed: dict[Path, _OpenLog] = {}
        while True:
            new = [log for log in logs_in(folder) if log not in followed]
            followed |= {log: _OpenLog(log, opened) for log in new}
            if new:
                yield from heapq.merge(*(followed[log].lines() for log in new), key=lambda line: line.at)
            yield from heapq.merge(*(each.lines() for each in followed.values()), key=lambda line: line.at)
            time.sleep(_READ_EACH_S)
            for each in followed.values():
                each.open_new()


def logs_in(folder: Path) -> list[Path]:
    """Return the current log of each program, in order of name. A log may just be renamed, and then not exist."""
    names = {path.name.partition(".log")[0] for path in folder.iterdir() if ".log" in path.name}
    return [folder / f"{name}.log" for name in sorted(names)]


@dataclass(slots=True)
class _OpenFile:
    file: BinaryIO
    renamed_at: float | None = None
    begun: bytes = b""

    @property
    def stat(self) -> os.stat_result:
        return os.fstat(self.file.fileno())


class _OpenLog:
    """The files of a program's log that are open: the current file, and a renamed file while lines may go to it."""

    def __init__(self, log: Path, opened: ExitStack) -> None:
        self._log = log
        self._opened = opened
        self._last_at = _BEGINNING
        self._files: list[_OpenFile] = []
        for path in [log, *older(log)]:  # a log that is renamed in between is seen twice, never missed
            self._open(path, first=True)

    def lines(self) -> Iterator[LogLine]:
        """Yield the lines that have ended since the last call."""
        for each in self._files:
            if each.file.tell() > each.stat.st_size:  # a person has emptied it
                each.file.seek(0)
            while line := each.file.readline():
                each.begun += line
                if line.endswith(b"\n"):
                    whole, each.begun = each.begun.rstrip(), b""
                    if whole:
                        yield self._line(whole)

    def open_new(self) -> None:
        """Open the file that has taken the place of a renamed file, and close files that no program writes to."""
        self._open(self._log)
        now = time.monotonic()
        for each in self._files[:-1]:
            each.renamed_at = each.renamed_at or now
            if now - each.renamed_at > _RENAMED_READ_FOR_S:
                each.file.close()
                self._files.remove(each)

    def _open(self, path: Path, *, first: bool = False) -> None:
        """Open a file unless it is open. `first`: it is older than the open files."""
        with suppress(FileNotFoundError):
            found = path.stat()
            if not any(os.path.samestat(found, each.stat) for each in self._files):
                opened = _OpenFile(self._opened.enter_context(path.open("rb")))
                self._files.insert(0 if first else len(self._files), opened)

    def _line(self, raw: bytes) -> LogLine:
        fields = _fields(raw)
        at = _time_of(fields)
        line = LogLine(at or self._last_at, self._log.stem, raw, fields if at else {})
        self._last_at = line.at
        return line


def _time_of(fields: dict[str, Any]) -> datetime | None:
    try:
        at = datetime.fromisoformat(fields["timestamp"])
    except (KeyError, ValueError, TypeError):
        return None
    return at if at.tzinfo else None
