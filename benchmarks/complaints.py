"""Counts the lines of logs that show an overloaded server."""

import re
from pathlib import Path

_PATTERNS = {
    # Neither the milliseconds of a time nor part of an id.
    "503": re.compile(r"(?<![\w.,:-])503(?![\w-])"),
    "database is locked": re.compile("database is locked"),
    "time-out": re.compile(r"Timeout|timed out"),
}


def complaints(log_folder: Path) -> dict[str, int]:
    """Return the number of matching lines in all logs of a folder, by complaint."""
    lines = [line for log in log_folder.glob("*.log") for line in log.read_text(errors="replace").splitlines()]
    return {what: sum(bool(pattern.search(line)) for line in lines) for what, pattern in _PATTERNS.items()}
