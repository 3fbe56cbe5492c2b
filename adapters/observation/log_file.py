"""The one log of `cellar up`: its programs append to it by themselves, and `cellar up` shows what is new.

So a kill of `cellar up` loses no line, and a terminal that stands still holds up nobody.
"""

import os
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import structlog

PROGRAM_VARIABLE = "PROGRAM_OF_CELLAR_UP"
"""The environment variable that gives a program its name in the log."""
_LIMIT_BYTES = 64 << 20
_READ_BYTES = 64 << 10
_LOOK_S = 0.2
_SHOWN_WITHIN_S = 5.0
_MODE = 0o600


def open_log(log: Path) -> int:
    """Open a log for appending and reading, for its owner alone, and return the descriptor.

    Raises OSError if the log cannot be opened.
    """
    return os.open(log, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)


class SharedLog:
    """The log while `cellar up` runs. Its programs inherit `descriptor`.

    Raises OSError if the log cannot be opened.
    """

    def __init__(self, log: Path, show: Callable[[str], None], limit_bytes: int = _LIMIT_BYTES) -> None:
        self.path = log
        self._limit_bytes = limit_bytes
        self.descriptor = open_log(log)
        self._show = show
        self._shown_to = os.fstat(self.descriptor).st_size
        self._begun = b""
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._show_all, name="lines of programs", daemon=True)
        self._thread.start()

    def append(self, program: str, event: str) -> None:
        """Append a line of a program that prints for people, or show it alone if the log cannot be written."""
        line = {"timestamp": datetime.now(UTC).isoformat(), "level": "warning", "event": event, "program": program}
        try:
            os.write(self.descriptor, orjson.dumps(line) + b"\n")
        except OSError:
            self._show_line(orjson.dumps(line))

    def close(self) -> None:
        """Return when all lines are shown. A terminal that stands still is not waited for."""
        self._ends.set()
        self._thread.join(_SHOWN_WITHIN_S)

    def _show_all(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._ends.wait(_LOOK_S)
            with suppress(OSError):  # the disk of the log is full or broken: the next look is soon
                self._show_new()
                if self._shown_to > self._limit_bytes:
                    self._begin_anew()
        if self._begun:
            self._show_line(self._begun)

    def _show_new(self) -> None:
        if self._shown_to > os.fstat(self.descriptor).st_size:  # a person has emptied it
            self._shown_to = 0
        while read := os.pread(self.descriptor, _READ_BYTES, self._shown_to):
            self._shown_to += len(read)
            *ended, self._begun = (self._begun + read).split(b"\n")
            for line in ended:
                self._show_line(line)

    def _show_line(self, line: bytes) -> None:
        with suppress(OSError):  # the terminal is closed, or the disk of the output is full
            self._show(line.decode(errors="replace"))

    def _begin_anew(self) -> None:
        """Copy the log to `<name>.1`, and empty it. Programs append to the file that they have."""
        before = self.path.with_name(f"{self.path.name}.1")
        os.close(open_log(before))  # the copy keeps its mode
        shutil.copyfile(self.path, before)
        os.truncate(self.descriptor, 0)
        self._shown_to = 0


def human_renderer(*, colors: bool) -> structlog.dev.ConsoleRenderer:
    """Return what makes text for people of an event. A trace shows no local variables: they may hold payloads."""
    return structlog.dev.ConsoleRenderer(
        colors=colors,
        pad_event_to=0,
        pad_level=False,
        sort_keys=False,
        exception_formatter=structlog.dev.plain_traceback,
    )


_COLOURED = human_renderer(colors=True)


def human_text(line: str) -> str:
    """Return a line of the log as people read it on a terminal, with the name of its program."""
    fields = {name: _escaped(each) if isinstance(each, str) else each for name, each in _fields(line).items()}
    if not fields:
        return _escaped(line)
    fields["event"] = f"{fields.pop('program', '')}: {fields.get('event', '')}"
    return _COLOURED(None, "", fields)


def _fields(line: str) -> dict[str, Any]:
    try:
        fields = orjson.loads(line)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) and "timestamp" in fields else {}


def _escaped(text: str) -> str:
    """Return a text with escapes in place of characters that move the cursor, colour text or reverse it."""
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode() for each in text
    )
