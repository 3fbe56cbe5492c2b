"""Discrepancies in the store: a file per process in the logs of its object, and one for those that are of no archive.

Whoever changes a discrepancy counts it in the same transaction (`count`), and then keeps what is new (`keep`). Where
that was killed, the next run of the process or the next night keeps it.
"""

from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col

from adapters import history, ocfl, store
from adapters.database import reading, writing
from adapters.history import Rows
from models.discrepancy import DiscrepancyEventRow, DiscrepancyLogRow, DiscrepancyRow

OF_NO_ARCHIVE = "settlements/discrepancies.json"
_AT_ONCE = 8
_DISCREPANCIES, _EVENTS = str(DiscrepancyRow.__tablename__), str(DiscrepancyEventRow.__tablename__)


def count(session: Session, references: Collection[str | None]) -> None:
    """Count a change of the discrepancies of each process."""
    if not references:
        return
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    first = dialect.insert(DiscrepancyLogRow)
    again = {"changes": DiscrepancyLogRow.changes + 1}
    counted = first.on_conflict_do_update(index_elements=["reference"], set_=again)
    # In one order: two that count several would else wait for each other.
    rows = [{"reference": name, "changes": 1, "kept": 0} for name in sorted(map(_name, references))]
    session.connection().execute(counted, rows)


def keep(references: Collection[str | None]) -> None:
    """Keep the discrepancies of processes that have changed since they were kept last.

    Whoever has written looks whether they changed meanwhile, and writes again: the last one to write has them right.

    Raises:
        Transient: database or store does not answer.
    """
    found = _found({_name(each): None for each in references})
    while found:
        with ThreadPoolExecutor(min(_AT_ONCE, len(found))) as threads:
            was_written = list(threads.map(_write, found))
        written = {each.name: each.changes for each, done in zip(found, was_written, strict=True) if done}
        _note(written)
        found = _found(written)


def unkept() -> list[str | None]:
    """The processes whose last changes are not kept."""
    with reading() as session:
        is_behind = col(DiscrepancyLogRow.kept) < col(DiscrepancyLogRow.changes)
        behind = select(DiscrepancyLogRow).where(is_behind).order_by(col(DiscrepancyLogRow.reference))
        return [row.reference or None for row in session.scalars(behind)]


@dataclass(frozen=True, slots=True)
class _Changed:
    """What a process has, after how many changes."""

    name: str
    changes: int
    rows: Rows = field(default_factory=dict)


def _name(reference: str | None) -> str:
    return reference or ""


def _found(written: Mapping[str, int | None]) -> list[_Changed]:
    """What there is of processes that have changed since, by what was written of them just now or was kept before."""
    with reading() as session:
        logs = session.scalars(select(DiscrepancyLogRow).where(col(DiscrepancyLogRow.reference).in_(written))).all()
        behind = [each for each in logs if each.changes != (written[each.reference] or each.kept)]
        found = {each.reference: _Changed(each.reference, each.changes) for each in behind}
        if found:
            _add_rows(session, found)
    return list(found.values())


def _add_rows(session: Session, found: Mapping[str, _Changed]) -> None:
    theirs = or_(
        col(DiscrepancyRow.reference).in_(found), *([col(DiscrepancyRow.reference).is_(None)] if "" in found else [])
    )
    discrepancies, events = (SQLModel.metadata.tables[name] for name in (_DISCREPANCIES, _EVENTS))
    of_discrepancies = discrepancies.c.discrepancy_id == events.c.discrepancy_id
    connection = session.connection()
    for row in connection.execute(select(discrepancies).where(theirs).order_by(discrepancies.c.discrepancy_id)):
        found[_name(row.reference)].rows.setdefault(_DISCREPANCIES, []).append(dict(row._mapping))
    its_events = select(events, discrepancies.c.reference).join(discrepancies, of_discrepancies).where(theirs)
    for row in connection.execute(its_events.order_by(events.c.discrepancy_id, events.c.number)):
        event: dict[str, Any] = {name: row._mapping[name] for name in events.c.keys()}  # noqa: SIM118 -- columns
        found[_name(row.reference)].rows.setdefault(_EVENTS, []).append(event | {"at": row.at.isoformat()})


def _write(changed: _Changed) -> bool:
    """Write what a process has, and return whether there was an object to write it into."""
    key = OF_NO_ARCHIVE
    if changed.name:
        if store.stored_size(f"{ocfl.object_key(changed.name)}/{ocfl.INVENTORY}") is None:
            return False
        key = ocfl.log_key(changed.name, f"{history.FOLDER}/discrepancies.json")
    history.write(merged(history.found_rows(key), changed.rows), key)
    return True


def merged(before: Rows, now: Rows) -> Rows:
    """The discrepancies of both; of one that both have, the longer history: that of a lost database may be. Pure."""
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


def _note(written: Mapping[str, int]) -> None:
    if not written:
        return
    ordered = sorted(written.items())
    with writing() as session:
        for name, changes in ordered:
            behind = (col(DiscrepancyLogRow.reference) == name, col(DiscrepancyLogRow.kept) < changes)
            session.execute(update(DiscrepancyLogRow).where(*behind).values(kept=changes))


def of_no_archive() -> Iterable[str]:
    """The key of what is kept of discrepancies that belong to no archive, where there is some."""
    return [OF_NO_ARCHIVE] if store.stored_size(OF_NO_ARCHIVE) is not None else []
