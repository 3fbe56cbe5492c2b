"""Lines in logs that tell of a server that was overrun."""

import re
from pathlib import Path

_PATTERNS = {
    # Neither the milliseconds of a time nor a part of an id.
    "503": re.compile(r"(?<![\w.,:-])503(?![\w-])"),
    "database is locked": re.compile("database is locked"),
    "time-out": re.compile(r"Timeout|timed out"),
}


def complaints(log_folder: Path) -> dict[str, int]:
    """Return how many lines of all the logs in a folder match, by what they tell of."""
    lines = [line for log in log_folder.glob("*.log") for line in log.read_text(errors="replace").splitlines()]
    return {what: sum(bool(pattern.search(line)) for line in lines) for what, pattern in _PATTERNS.items()}
