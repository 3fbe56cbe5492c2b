"""Keeps discrepancies in the store: in the logs of their process's object, or beside the reports for no archive.

A change of a discrepancy is counted in its own transaction (`count`), and then written to the store (`keep`). If the
writer is killed in between, the next run of the process or the next nightly flow writes the change.

Each file is named by the number of changes that it includes. So a writer that stalled and writes late writes beside the
newer files and not over them. Nothing that was kept, such as an explanation, is lost.
"""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import sqlmodel
from sqlalchemy import or_, select, update
from sqlmodel import Session, SQLModel, col

from adapters.database.transactions import read_all, reading, streamed, upsert, writing
from adapters.files.store import store
from adapters.store import ocfl
from adapters.store.objects import history
from adapters.store.objects.history import Rows
from models.discrepancies import DiscrepancyEventRow, DiscrepancyLogRow, DiscrepancyRow

OF_NO_ARCHIVE = "settlements/discrepancies"
_AT_ONCE = 8
_NAME = re.compile(r"[0-9]{10}\.json")
_IS_BEHIND = col(DiscrepancyLogRow.kept) < col(DiscrepancyLogRow.changes)
_DISCREPANCIES, _EVENTS = str(DiscrepancyRow.__tablename__), str(DiscrepancyEventRow.__tablename__)


def count(session: Session, references: Collection[str | None]) -> None:
    """Count a change of the discrepancies of each process."""
    if not references:
        return
    first = upsert(session, DiscrepancyLogRow)
    again = {"changes": DiscrepancyLogRow.changes + 1}
    counted = first.on_conflict_do_update(index_elements=["reference"], set_=again)
    # Sorted, so that two transactions cannot deadlock.
    rows = [{"reference": name, "changes": 1, "kept": 0} for name in sorted(map(_name, references))]
    session.connection().execute(counted, rows)


def keep(references: Collection[str | None]) -> None:
    """Write the discrepancies of the processes that have changes the store lacks. A failed write blocks no other."""
    names = [_name(each) for each in references]
    while found := _found(names):
        with ThreadPoolExecutor(min(_AT_ONCE, len(found))) as threads:
            written = [(each, threads.submit(_write, each)) for each in found]
        done = [(each, future.result()) for each, future in written if future.exception() is None]
        stored = {each: number for each, number in done if number is not None}
        _note(stored)
        for _, future in written:
            future.result()  # raises if this write failed
        names = [each.name for each in stored]


def unkept() -> list[str | None]:
    """Return the processes that have changes the store lacks."""
    behind = sqlmodel.select(DiscrepancyLogRow).where(_IS_BEHIND).order_by(col(DiscrepancyLogRow.reference))
    return [row.reference or None for row in read_all(behind)]


def recorded(reference: str | None) -> tuple[DiscrepancyLogRow | None, Rows]:
    """Return what was counted of a process's changes, and its rows in the database as the store keeps them."""
    its = _Changed(_name(reference), 0)
    with reading() as session:
        log = session.get(DiscrepancyLogRow, its.name)
        _add_rows(session, {its.name: its})
    rows: Rows = json.loads(b"".join(its.pieces()))
    return log, rows


def keys_of(reference: str | None) -> list[str]:
    """Return the keys of what the store keeps of a process's discrepancies, in order; None: those of no archive."""
    return _kept_in(_folder(_name(reference)))


def key_of(reference: str | None, changes: int) -> str:
    """Return the key of a process's discrepancies after a number of changes."""
    return _key(_folder(_name(reference)), changes)


def is_kept(key: str, keys: Iterable[str]) -> bool:
    """Return whether a key, or a later key of its folder, is among the keys of a store."""
    folder = key.rpartition("/")[0]
    return any(each >= key for each in keys if _is_kept_file(each, folder))


def restore_count(reference: str | None, keys: Iterable[str]) -> None:
    """Record the last change among the keys of a process's discrepancies in the store, after the database was lost."""
    folder = _folder(_name(reference))
    number = max((_number(key) for key in keys if _is_kept_file(key, folder)), default=0)
    if not number:
        return
    with writing() as session:
        first = upsert(session, DiscrepancyLogRow)
        session.connection().execute(
            first.on_conflict_do_nothing(), [{"reference": _name(reference), "changes": number, "kept": number}]
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Changed:
    """The rows of a process by table, each as JSON, and their number of changes.

    A process may have 100,000 discrepancies. As dicts they need several times the memory.
    """

    name: str
    changes: int
    rows: dict[str, list[bytes]] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)
    """The number of events of each discrepancy, by its id."""

    def add(self, table: str, row: Mapping[str, Any]) -> None:
        self.rows.setdefault(table, []).append(json.dumps(row).encode())

    def pieces(self) -> list[bytes]:
        """Return all rows as JSON, in pieces, in the form that `history.write` writes."""
        pieces: list[bytes] = []
        for table, rows in self.rows.items():
            pieces.append(b'%b"%b": [' % (b", " if pieces else b"{", table.encode()))
            pieces += chain.from_iterable((b", ", row) for row in rows)
            del pieces[-2 * len(rows)]  # no comma before the first
            pieces.append(b"]")
        return [*pieces, b"}"] if pieces else [b"{}"]


def _name(reference: str | None) -> str:
    return reference or ""


def _found(names: Collection[str]) -> list[_Changed]:
    """Return the rows of the processes that have changes the store lacks."""
    behind = sqlmodel.select(DiscrepancyLogRow).where(col(DiscrepancyLogRow.reference).in_(names), _IS_BEHIND)
    if not read_all(behind):  # as a rule, and in one request
        return []
    with reading() as session:
        found = {each.reference: _Changed(each.reference, each.changes) for each in session.exec(behind)}
        if found:
            _add_rows(session, found)
    return list(found.values())


def _add_rows(session: Session, found: Mapping[str, _Changed]) -> None:
    theirs = or_(
        col(DiscrepancyRow.reference).in_(found), *([col(DiscrepancyRow.reference).is_(None)] if "" in found else [])
    )
    discrepancies, events = (SQLModel.metadata.tables[name] for name in (_DISCREPANCIES, _EVENTS))
    of_discrepancies = discrepancies.c.discrepancy_id == events.c.discrepancy_id
    in_order = select(discrepancies).where(theirs).order_by(discrepancies.c.discrepancy_id)
    for row in streamed(session, in_order):
        found[_name(row.reference)].add(_DISCREPANCIES, dict(row._mapping))
    its_events = select(events, discrepancies.c.reference).join(discrepancies, of_discrepancies).where(theirs)
    its_events = its_events.order_by(events.c.discrepancy_id, events.c.number)
    for row in streamed(session, its_events):
        event: dict[str, Any] = {name: row._mapping[name] for name in events.c.keys()}  # noqa: SIM118 -- columns
        changed = found[_name(row.reference)]
        changed.add(_EVENTS, event | {"at": row.at.isoformat()})
        changed.events[row.discrepancy_id] += 1


def _write(changed: _Changed) -> int | None:
    """Write a process's rows under their number of changes, unless the store has more changes. Remove earlier files but
    the last, since a reader may be about to open it.

    Returns:
        The number of changes that the store has now; None where there is no object to write into.
    """
    if changed.name and store().size(f"{ocfl.object_key(changed.name)}/{ocfl.INVENTORY}") is None:
        return None
    folder = _folder(changed.name)
    kept = {_number(key): key for key in _kept_in(folder)}
    if max(kept, default=0) > changed.changes:
        return max(kept)
    pieces, is_merged = changed.pieces(), False
    for key in kept.values():
        rows = history.found_rows(key)
        if is_merged or _tells_more(rows, changed.events):
            pieces = [json.dumps(merged(rows, json.loads(b"".join(pieces)))).encode()]
            is_merged = True
    history.write_text(pieces, _key(folder, changed.changes))
    before = sorted(kept.keys() - {changed.changes})
    for number in before[:-1]:
        store().remove(kept[number])
    return changed.changes


def _folder(name: str) -> str:
    return ocfl.log_key(name, f"{history.FOLDER}/discrepancies") if name else OF_NO_ARCHIVE


def _key(folder: str, changes: int) -> str:
    return f"{folder}/{changes:010}.json"


def _kept_in(folder: str) -> list[str]:
    return [key for key, _ in store().listed(folder) if _is_kept_file(key, folder)]


def _is_kept_file(key: str, folder: str) -> bool:
    """Return whether a key in a folder names a number of changes. Foreign files do not."""
    return key.startswith(f"{folder}/") and _NAME.fullmatch(key, len(folder) + 1) is not None


def _number(key: str) -> int:
    return int(key.rpartition("/")[2].removesuffix(".json"))


def _tells_more(kept: Rows, events: Mapping[str, int]) -> bool:
    """Return whether the store has a longer history of a discrepancy than the database: only after a lost database."""
    counted = Counter(each["discrepancy_id"] for each in kept.get(_EVENTS, []))
    return any(count > events.get(key, 0) for key, count in counted.items())


def merged(before: Rows, now: Rows) -> Rows:
    """Merge two sets of discrepancies. The longer history wins, since it may be that of a lost database. Pure."""
    histories = [_histories(rows) for rows in (before, now)]
    rows: Rows = {_DISCREPANCIES: [], _EVENTS: []}
    for discrepancy_id in sorted(histories[0].keys() | histories[1].keys()):
        kept, new = (each.get(discrepancy_id, ([], [])) for each in histories)
        row, events = kept if len(kept[1]) > len(new[1]) else new
        rows[_DISCREPANCIES] += row
        rows[_EVENTS] += events
    return rows


def _histories(rows: Rows) -> dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    found: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {}
    for row in rows.get(_DISCREPANCIES, []):
        found[row["discrepancy_id"]] = ([row], [])
    for event in rows.get(_EVENTS, []):
        found[event["discrepancy_id"]][1].append(event)
    return found


def _note(stored: Mapping[_Changed, int]) -> None:
    """Record up to which change the store has the discrepancies of each process."""
    if not stored:
        return
    with writing() as session:
        for each, number in sorted(stored.items(), key=lambda item: item[0].name):
            its = col(DiscrepancyLogRow.reference) == each.name
            if number > each.changes:  # counted by a lost database, or just now by another writer
                fewer = col(DiscrepancyLogRow.changes) <= number
                session.execute(update(DiscrepancyLogRow).where(its, fewer).values(changes=number + 1))
            behind = col(DiscrepancyLogRow.kept) < number
            session.execute(update(DiscrepancyLogRow).where(its, behind).values(kept=number))
