"""What happened: restored from the store into an empty database, and the rows of the database compared with it."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any

from sqlalchemy import inspect, select
from sqlmodel import SQLModel

from adapters.database.noted import as_json
from adapters.database.transactions import pages, reading, streamed, upsert, writing
from adapters.store import happened
from adapters.store.happened import ACCESS, FOLDER, Line
from adapters.store.lines import Erased
from models.access import AccessRow
from models.columns import by_name
from models.completeness.processes import MissingProcessRow
from models.discrepancies import DiscrepancyEventRow, DiscrepancyRow
from models.erasures import HoldRow, TombstoneMarkRow, TombstoneRow
from models.errors import Conflict
from models.messages.notification import EventRow, NotificationAttemptRow, NotificationRow
from models.people import ActionRow, SavedViewRow
from models.runs.batch import BatchItemRow, BatchRow
from models.runs.receipt import RefusedRow
from models.settlements.settlement import SettlementReportRow
from models.store.fixity import Fault, FixityFinding
from models.tables import FormColumnRow

KEPT = by_name(
    *(ActionRow, BatchItemRow, BatchRow, DiscrepancyEventRow, DiscrepancyRow, FormColumnRow, HoldRow),
    *(MissingProcessRow, SavedViewRow, TombstoneMarkRow, TombstoneRow),
)
"""The tables of which each row stands in the store as it is."""
_IN_HISTORIES = by_name(EventRow, NotificationAttemptRow)  # where they are of receipts
_COMPARED = {**KEPT, **by_name(SettlementReportRow), **_IN_HISTORIES}  # reports are restored from themselves
_OF_EVENTS = (EventRow, NotificationRow, NotificationAttemptRow)
_RESTORED = {**KEPT, **by_name(AccessRow, RefusedRow, *_OF_EVENTS)}
"""The access log is compared by its chains. States of messages change too often to be compared."""
_ROWS_AT_ONCE = 1000
OnDamaged = Callable[[tuple[str, str]], None]


def restore_happened(on_damaged: OnDamaged, erased: Erased) -> None:
    """Give the rows of the store to an empty database, day by day. `erased`: what tombstones say."""
    for keys in (keys for folder in (FOLDER, ACCESS) for keys in happened.days(folder)):
        for page in pages(sorted(_lines(keys, on_damaged, erased), key=lambda line: line.at), _ROWS_AT_ONCE):
            _restore(page)
    _restore(happened.kept_tombstones())  # as all lines together say


def _lines(keys: Iterable[str], on_damaged: OnDamaged = lambda _: None, erased: Erased | None = None) -> Iterator[Line]:
    for key in keys:
        wrong = list[str]()
        try:
            yield from happened.lines_in(key, erased, wrong.append)
        except Conflict as conflict:
            wrong.append(str(conflict))
        for each in wrong:
            on_damaged((key, each))


def _restore(lines: Sequence[Line]) -> None:
    with writing() as session:
        for name, table in _RESTORED.items():
            last = {_key(table, line.row): line.row for line in lines if line.of == name}
            if last:
                new, keys = upsert(session, table), _keys(table)
                others = {each.name: new.excluded[each.name] for each in inspect(table).c if each.name not in keys}
                again = new.on_conflict_do_update(index_elements=keys, set_=others)
                statement = new.on_conflict_do_nothing() if table is AccessRow else again  # it is append-only
                rows = [table.model_validate(each).model_dump() for each in last.values()]
                session.connection().execute(statement, rows)


def _keys(table: type[SQLModel]) -> list[str]:
    return [each.name for each in inspect(table).primary_key]


def _key(table: type[SQLModel], row: Mapping[str, Any]) -> str:
    return "/".join([str(table.__tablename__), *(str(row[name]) for name in _keys(table))])


def wrong_happened(erased: Erased) -> Iterator[FixityFinding]:
    """Find files that are damaged or foreign, or lack lines that no tombstone has, and rows that say otherwise than the
    store. A row that has changed while they were read is right.
    """
    damaged = list[tuple[str, str]]()
    for keys in (keys for folder in (FOLDER, ACCESS) for keys in happened.days(folder)):
        for _ in _lines(keys, damaged.append, erased):
            pass
    yield from (FixityFinding(key, Fault.DAMAGED, "the file as it was written", reason) for key, reason in damaged)
    if found := _differing(erased):
        again = _differing(erased)
        for key in found.keys() & again.keys():
            if found[key] == again[key]:
                what = "another row" if found[key] else "no row"
                yield FixityFinding(f"{FOLDER}/{key}", Fault.DIFFERS, "the row as the store says", what)


@dataclass(frozen=True, slots=True)
class _Last:
    """What the last line of a row says: when, and the digest of its columns. Rows themselves would fill the memory."""

    at: str
    columns: tuple[str, ...]
    digest: bytes


def _differing(erased: Erased) -> dict[str, Mapping[str, Any] | None]:
    """Return the rows that differ from their last lines, by table and key; None for a row that is gone."""
    said, differing = _said(erased), dict[str, Mapping[str, Any] | None]()
    for name, table in _COMPARED.items():
        with reading() as session:
            for each in streamed(session, select(SQLModel.metadata.tables[name])):
                row = as_json(dict(each._mapping))
                last = said.pop(_key(table, row), None)
                if last is None and name in _IN_HISTORIES:
                    continue
                if last is None or _digest(row, last.columns) != last.digest:
                    differing[_key(table, row)] = row
    return differing | dict.fromkeys(said)


def _said(erased: Erased) -> dict[str, _Last]:
    """Return what the last line of each row says, by table and key."""
    said, of_tombstones = dict[str, _Last](), dict[str, Line]()
    left = happened.lines_left()  # first: what leaves the database meanwhile is in the store
    for lines in (*(_lines(keys, erased=erased) for keys in happened.days(FOLDER)), left):
        for each in (each for each in lines if each.of in _COMPARED):
            table = _COMPARED[each.of]
            key, line = _key(table, each.row), each
            if table is TombstoneRow:
                line = of_tombstones[key] = happened.later(each, of_tombstones.get(key))
            elif key in said and line.at < said[key].at:
                continue
            columns = _columns_of(table, frozenset(line.row))
            said[key] = _Last(line.at, columns, _digest(line.row, columns))
    return said


@cache
def _columns_of(table: type[SQLModel], names: frozenset[str]) -> tuple[str, ...]:
    """Return the columns of a table that a line has."""
    return tuple(each.name for each in inspect(table).c if each.name in names)


def _digest(row: Mapping[str, Any], columns: Sequence[str]) -> bytes:
    return sha256(json.dumps([row[each] for each in columns], sort_keys=True).encode()).digest()
