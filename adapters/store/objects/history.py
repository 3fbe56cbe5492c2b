"""Keeps the history of a receipt in its object's logs, so that deliveries, runs and notifications outlive the database.

Each receipt has one file. It merges the rows of the database with those of earlier writes, so the history that a lost
database held survives.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import sqlalchemy
import structlog
from sqlalchemy import Select, bindparam, cast, inspect, literal, null, union_all
from sqlmodel import SQLModel, col, select

from adapters.database.transactions import asking, writing
from adapters.files.store import store
from adapters.store import ocfl
from models.archive.archive import State
from models.columns import by_name, table_of
from models.errors import Conflict
from models.messages.notification import EventRow, NotificationAttemptRow, NotificationRow
from models.runs.receipt import DeliveryRow, ReceiptRow, RunRow
from models.said import Sentence

Rows = dict[str, list[dict[str, Any]]]

log = structlog.get_logger()

FOLDER = "history"
PUT_ASIDE = ".damaged"
"""The suffix of the key under which a damaged history is set aside."""
_HISTORY = re.compile(rf"{ocfl.LOGS}/{FOLDER}/[0-9a-f]{{64}}\.json")
_OF_A_RECEIPT: tuple[type[SQLModel], ...] = (ReceiptRow, DeliveryRow, RunRow, NotificationRow, EventRow)
_OF_RECEIPTS = by_name(*_OF_A_RECEIPT, NotificationAttemptRow)
_COLUMNS = [column for table in _OF_A_RECEIPT for column in table_of(table).c]


def _in_all_columns(table: type[SQLModel]) -> Select[Any]:
    """Select a receipt's rows of a table, with nulls for the columns of the other tables."""
    own = table_of(table)
    values = (each if each.table is own else cast(null(), each.type) for each in _COLUMNS)
    return sqlalchemy.select(literal(own.name), *values).where(own.c.receipt_id == bindparam("its_receipt"))


_ITS_ROWS = union_all(*map(_in_all_columns, _OF_A_RECEIPT))
"""One query for all tables: a history is read four times a run."""


def path_of(receipt_id: str) -> str:
    """Return the path of a receipt's history in its object."""
    return f"{ocfl.LOGS}/{FOLDER}/{receipt_id}.json"


def is_history(path: str) -> bool:
    """Return whether a path in an object is that of a history."""
    return _HISTORY.fullmatch(path.removesuffix(PUT_ASIDE)) is not None


def keep(reference: str, receipt_id: str, *, is_archived: bool = False) -> None:
    """Write a receipt's history from the database into its object, if the object exists; else the receipt still waits.

    A damaged history is set aside beside the new history, and blocks nothing. `is_archived`: the object exists.
    """
    object_key = ocfl.object_key(reference)
    key = f"{object_key}/{path_of(receipt_id)}"
    before, now = store().do_all(partial(found_rows, key), partial(_rows_of, receipt_id))
    while is_archived or before or store().size(f"{object_key}/{ocfl.INVENTORY}") is not None:
        kept = now
        write(_merged(before, kept), key)
        now = _rows_of(receipt_id)
        if now == kept:
            return
        before = found_rows(key)  # another writer, between our read and our write, knew more and was overwritten


def write(rows: Rows, key: str) -> None:
    """Write rows under a key of the store, below their digest. Replaces any earlier rows."""
    text = json.dumps(rows).encode()
    store().overwrite_bytes(b"%b\n%b" % (hashlib.sha256(text).hexdigest().encode(), text), key)


def restore(key: str) -> None:
    """Merge the history under a key of the store into the database.

    Raises:
        Conflict: the history is damaged, or belongs to another receipt or process.
    """
    kept = parsed(store().read_bytes(key), key)
    with writing() as session:
        for name, rows in kept.items():
            for row in rows:
                session.merge(_OF_RECEIPTS[name].model_validate(row))


def kept_rows(key: str) -> Rows | None:
    """Return the rows of the history under a key; None where there is no history.

    Raises:
        Conflict: the history is damaged, or belongs to another receipt or process.
    """
    text = store().found_bytes(key)
    return None if text is None else parsed(text, key)


def complete_receipt(rows: Rows) -> Mapping[str, Any] | None:
    """Return the row of the receipt in a history that calls it complete, None in any other history."""
    return next((row for row in rows.get(str(ReceiptRow.__tablename__), []) if row["state"] == State.COMPLETED), None)


def deliveries(rows: Rows) -> list[dict[str, Any]]:
    """Return the rows of the deliveries in a history."""
    return rows.get(str(DeliveryRow.__tablename__), [])


def is_complete(object_key: str, receipt_id: str) -> bool:
    """Return whether a receipt's history in an object calls it complete. True for a damaged history: it may do so."""
    try:
        rows = kept_rows(f"{object_key}/{path_of(receipt_id)}") or {}
    except Conflict:
        return True
    return complete_receipt(rows) is not None


def found_rows(key: str) -> Rows:
    """Return the rows of the history under a key; no rows where it is missing, or damaged and now set aside."""
    text = store().found_bytes(key)
    try:
        return parsed(text, key) if text is not None else {}
    except Conflict:
        log.error("a history is damaged; it is set aside", receipt=key.rpartition("/")[2])
        store().overwrite_bytes(text or b"", f"{key}{PUT_ASIDE}")
        store().remove(key)
        return {}


def parsed(text: bytes, key: str) -> Rows:
    """Return the rows in the text of the history under a key.

    Raises:
        Conflict: the history is damaged, or belongs to another receipt or process.
    """
    digest, _, rows_text = text.partition(b"\n")
    if hashlib.sha256(rows_text).hexdigest().encode() != digest:
        raise Conflict(Sentence.history_damaged(), key=key)
    rows: Rows = json.loads(rows_text)
    if not _is_of(rows, key):
        raise Conflict(Sentence.history_of_other(), key=key)
    return rows


def _is_of(rows: Rows, key: str) -> bool:
    """Return whether rows belong to their key. The digest does not prove it, since it is copied with the rows."""
    name = key.rpartition("/")[2]
    every = [row for its_rows in rows.values() for row in its_rows]
    receipt_ids = {row["receipt_id"] for row in every if "receipt_id" in row}
    references = {row["reference"] for row in every if "reference" in row}
    is_its_own = rows.keys() <= _OF_RECEIPTS.keys() and receipt_ids <= {name.removesuffix(".json")}
    return is_its_own and all(key.startswith(f"{ocfl.object_key(reference)}/") for reference in references)


def _rows_of(receipt_id: str) -> Rows:
    with asking() as session:  # a second query is asked only of the few receipts that have messages
        found = [_row(each) for each in session.connection().execute(_ITS_ROWS, {"its_receipt": receipt_id})]
        message_ids = [row.message_id for row in found if isinstance(row, NotificationRow)]
        if message_ids:
            attempts = select(NotificationAttemptRow)
            found += session.exec(attempts.where(col(NotificationAttemptRow.message_id).in_(message_ids))).all()
    rows: Rows = {}
    for row in found:
        rows.setdefault(str(row.__tablename__), []).append(row.model_dump(mode="json"))
    return rows


def _row(found: Sequence[Any]) -> SQLModel:
    name, *values = found
    its = {each.name: value for each, value in zip(_COLUMNS, values, strict=True) if each.table.name == name}
    return _OF_RECEIPTS[name](**its)


def _merged(before: Rows, now: Rows) -> Rows:
    """Merge two sets of rows. The row of `now` wins, unless the row before is final: anchors name what is final, and a
    database that was lost and not rebuilt would tell it anew.
    """
    merged: Rows = {}
    for name, table in _OF_RECEIPTS.items():
        key_names = [column.name for column in inspect(table).primary_key]
        rows: dict[tuple[Any, ...], dict[str, Any]] = {}
        for row in (*before.get(name, []), *now.get(name, [])):
            key = tuple(row[each] for each in key_names)
            if key not in rows or not _is_final(rows[key]):
                rows[key] = row
        if rows:
            merged[name] = list(rows.values())
    return merged


def _is_final(row: dict[str, Any]) -> bool:
    """Return whether a row is that of a run that has ended, of a complete receipt, or of an attempt at a message."""
    return row.get("ended_at") is not None or row.get("state") == State.COMPLETED or "attempted_at" in row
