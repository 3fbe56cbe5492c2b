"""Makes log lines of the lines that a program prints, so that its log file has one format, and each line has a time."""

import atexit
import io
import threading

import structlog


class PrintedLines(io.TextIOBase):
    """A stream in place of standard output or standard error. Each line that ends becomes a line of the log."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, descriptor: int, level: int) -> None:
        self._descriptor = descriptor
        self._level = level
        self._log = structlog.get_logger()
        self._begun = ""
        self._lock = threading.RLock()
        atexit.register(self.write, "\n")

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        """Return the descriptor behind it, for traces of the interpreter itself (`faulthandler`)."""
        return self._descriptor

    def write(self, text: str) -> int:
        with self._lock:
            *ended, self._begun = (self._begun + text).split("\n")
        for line in ended:
            if line.strip():
                self._log.log(self._level, line.rstrip())
        return len(text)
