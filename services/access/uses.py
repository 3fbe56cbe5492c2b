"""Counts the uses of secrets, tokens and public links in memory, and writes them down later.

So a use costs nothing before an answer, and a flood of uses makes one row of each name. The uses of the last seconds
are lost with a process that is killed.
"""

import threading
from datetime import datetime
from typing import Literal

from adapters.tables import uses
from models.errors import CellarError
from models.people import LastUseRow

Kind = Literal["secret", "token", "link"]
"""`secret`: of a source, named by its digest. `token`: by its name. `link`: by the receipt that it shows."""
_new: dict[tuple[Kind, str], tuple[datetime, int]] = {}
"""The last time and the number of the uses that are not in the database yet."""
_lock = threading.Lock()


def used(kind: Kind, name: str, at: datetime) -> None:
    """Count a use. The name is never the secret itself, and is known: a made-up name would occupy memory."""
    _add((kind, name), at, 1)


def flush() -> None:
    """Write the new uses down. While the database does not take them, they wait for the next time."""
    with _lock:
        written = dict(_new)
        _new.clear()
    try:
        if written:
            rows = sorted(written.items())  # Postgres lets two receivers wait for each other in other orders
            uses.add(LastUseRow(kind=kind, name=name, at=at, times=n) for (kind, name), (at, n) in rows)
    except CellarError:
        for key, (at, times) in written.items():
            _add(key, at, times)


def _add(key: tuple[Kind, str], at: datetime, times: int) -> None:
    with _lock:
        last, before = _new.get(key, (at, 0))
        _new[key] = max(last, at), before + times
