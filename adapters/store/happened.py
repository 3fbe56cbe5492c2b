"""What happened, in the store: `happened/YYYY/MM/DD/SHA256.jsonl`, rows of tables that follow from nothing else.

A change notes its rows in its own transaction (`adapters/database/noted.py`). What a person did, `keep` writes to the
store before the answer; what happens by itself, and what a killed process has left, the next sweep. A line is the time,
the table and the row; the last line of a row says how it is. A file is written once, below the day on which it was
written (UTC), and named by the digests of its lines (`lines.py`), of which an erasure may replace some. The rows of the
access log lie below `access-log/`, since they leave after years, day by day.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, groupby
from typing import Any

import structlog
from sqlalchemy import ColumnElement
from sqlmodel import col

from adapters.database import noted
from adapters.files.store import store
from adapters.platform.cancellation import checkpoint
from adapters.store import lines, ocfl
from adapters.store.lines import Erased
from adapters.tables import erased as erased_rows
from adapters.tables.archives import archives
from models.access import AccessRow
from models.erasures import TombstoneRow
from models.errors import Conflict, Locked, Transient
from models.runs.receipt import ReceiptRow
from models.store.happened import NotedRow

FOLDER, ACCESS = "happened", "access-log"
_AT_ONCE = 5000
_OF_TOMBSTONES = str(TombstoneRow.__tablename__)
_OF_ACCESS, _OF_RECEIPTS = str(AccessRow.__tablename__), str(ReceiptRow.__tablename__)
_IS_OF_NEITHER = col(NotedRow.of).not_in((_OF_ACCESS, _OF_RECEIPTS))  # receipts have histories

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table, as it was written at a time (ISO 8601, UTC)."""

    at: str
    of: str
    row: dict[str, Any]


def keep() -> None:
    """Write what was noted to the store, durably, but the access log. While the store is away, or its disk is not
    mounted, it waits.
    """
    _keep(FOLDER, _IS_OF_NEITHER)


def keep_all() -> None:
    """Do as `keep`, with the access log: at each sweep, since each page of the console has a row."""
    keep()
    _keep(ACCESS, col(NotedRow.of) == _OF_ACCESS)


def _keep(folder: str, which: ColumnElement[bool]) -> None:
    try:
        while True:
            day = _day(folder, datetime.now(UTC))  # before what is read: a later line lies in no earlier day
            rows = noted.noted(which, _AT_ONCE)
            if not rows:
                return
            if not ocfl.has_root() and not archives.is_empty():
                raise Transient("the store is empty while the database has archives")
            text = "".join(f"{json.dumps([each.at.isoformat(), each.of, each.row])}\n" for each in rows).encode()
            key = f"{day}/{lines.name_of(text)}.jsonl"
            store().keep_first(text, key)
            if noted.forget(rows) < len(rows):
                _erase_again(key, text)
            if len(rows) < _AT_ONCE:  # what others note meanwhile, they keep
                return
    except (Locked, Transient) as error:
        log.warning("what happened waits in the database for the store", why=str(error))


def _erase_again(key: str, text: bytes) -> None:
    """Erase the lines of a file that an erasure has erased elsewhere before the file was there."""
    digests, erased = [lines.digest_of(each) for each in text.split(b"\n")[:-1]], erased_rows.lines()
    if its := {each for each in digests if erased and lines.kept_digest(each) in erased}:
        lines.erase_lines(key, its)
        store().erase_earlier(key)


def _day(folder: str, at: datetime) -> str:
    return f"{folder}/{at.astimezone(UTC):%Y/%m/%d}"


def days(folder: str, since: datetime | None = None) -> Iterator[list[str]]:
    """Yield the keys of the files of each day, or of those since a time, in order."""
    for day, keys in groupby((key for key, _ in store().listed(folder)), lambda key: key.rpartition("/")[0]):
        if since is None or day >= _day(folder, since):
            yield list(keys)


def lines_in(key: str, erased: Erased | None = None, on_wrong: Callable[[str], None] = lambda _: None) -> list[Line]:
    """Return the lines of a file that are left. `erased` and `on_wrong` are as in `lines.read`.

    Raises:
        Conflict: it is missing or damaged, or foreign.
    """
    checkpoint()
    found = lines.read(key, store().found_bytes(key), erased, on_wrong)
    try:
        return [Line(*json.loads(line)) for line in found]
    except (ValueError, TypeError) as error:
        raise Conflict("no lines that cellar has written") from error


def erased() -> Erased:
    """Return what the tombstones of the store say. A file that is damaged says nothing; the checks report it."""
    rows = [(each.row, each.row["ended_at"] is not None) for each in kept_tombstones()]
    archives = {row["digest"]: has_ended for row, has_ended in rows}
    return Erased(archives, {each: has_ended for row, has_ended in rows for each in row["lines"]})


def kept_tombstones() -> list[Line]:
    """Return the tombstones of the store, each as all its lines say. A file that is damaged says nothing."""
    found, mark = dict[str, Line](), f'"{_OF_TOMBSTONES}"'.encode()
    for key in chain.from_iterable(days(FOLDER)):
        checkpoint()
        with suppress(Conflict):
            for line in lines_in(key) if mark in (store().found_bytes(key) or b"") else ():
                if line.of == _OF_TOMBSTONES:
                    found[line.row["digest"]] = later(line, found.get(line.row["digest"]))
    return list(found.values())


def later(line: Line, other: Line | None) -> Line:
    """Return which of two lines says how a row is: the last. A tombstone keeps what either says of its lines and its
    end, since a clock may have been set back between them.
    """
    if other is None:
        return line
    first, last = (other, line) if other.at <= line.at else (line, other)
    if line.of != _OF_TOMBSTONES:
        return last
    either = {"lines": sorted({*first.row["lines"], *last.row["lines"]})}
    return replace(last, row=last.row | either | {"ended_at": last.row["ended_at"] or first.row["ended_at"]})


def lines_left() -> list[Line]:
    """Return what was noted and is not in the store yet, as lines, but the access log."""
    return [Line(each.at.isoformat(), each.of, each.row) for each in noted.noted(_IS_OF_NEITHER)]


def access_rows(
    since: datetime | None = None, until: datetime | None = None
) -> Iterator[tuple[datetime, list[dict[str, Any]]]]:
    """Yield the rows of each file of the access log, with the day on which it was written, of the days from one time on
    and before that of another. A damaged file is left out; the check of the files reports it.
    """
    for key in (key for keys in days(ACCESS, since) for key in keys):
        if until is None or key < _day(ACCESS, until):
            with suppress(Conflict):
                day = datetime.strptime(key[len(ACCESS) + 1 :].rpartition("/")[0], "%Y/%m/%d").replace(tzinfo=UTC)
                yield day, [line.row for line in lines_in(key)]


def has_left(key: str, kept_since: datetime) -> bool:
    """Return whether a key of an anchor is that of a day of the access log that is older than it is kept."""
    return key.startswith(f"{ACCESS}/") and key < _day(ACCESS, kept_since)


def remove_access_before(at: datetime) -> None:
    """Remove the files of the access log that were written before the day of a time: their rows are older."""
    for key in (key for keys in list(days(ACCESS)) for key in keys):
        if key < _day(ACCESS, at):
            store().remove(key)
