"""Tries out which changes of an archive's rows are named, on a database that has rows of it everywhere."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, select, update
from sqlalchemy.types import TypeEngine

from adapters.database.connections import engine
from models.changes import ChangeRow
from models.columns import Moment, table_of
from models.settlements.settlement import SettlementEntryRow
from services.erasure.traces import REMOVED, Named
from tests.records import NOON

COLUMNS: Mapping[str, set[str]] = {
    "archive": {"cause_values", "digest"},
    "condition": {"since", "found_at", "count", "values"},  # an open condition that is found again
    "delivery": {"headers"},
    "discrepancy": {"code", "subject"},
    "notification": {
        *("receipt_id", "endpoint", "event", "event_id", "values", "claimed_until", "tried_before", "next_trigger"),
        "next_by",
    },
    "run": {"cause_values"},
    "search_entry": {"text", "version"},
    "settlement_entry": {
        *("report_id", "line", "kind", "settled_on", "paid_on", "amount_minor", "fee_minor", "currency", "card_last4"),
        *("cguid_fingerprint", "authorisation_fingerprint", "instalment", "instalments"),
    },
    "version": {"skeleton"},
}
"""The columns of followed tables of which a change is not named: they stay, or are not read as the archive's."""
TABLES: Mapping[str, str] = {
    "action": "what people did, which changes nothing of an archive",
    "discrepancy_event": "the state of its discrepancy says it",
    "event": "its messages, which are planned with it, say it",
    "facet_value": "of the search",
    "hold": "forbids an erasure, and changes nothing of an archive",
    "lease": "who works on it",
    "missing_process": "of a process whose archive is not there",
    "notification_attempt": "its message counts it",
    "payment_key": "of the matching of payments",
    "receipt": "its archive has the state of the newest",
    "refused": "of a delivery that is no part of an archive",
    "search_entry": "of the search: its title is followed, since lists show it",
    "session_event": "of a process, and no part of its archive",
    "settlement_candidate": "of the matching of payments",
    "stored_object": "of the checks of the store",
    "task_result": "of a run that goes on",
}
"""The tables whose new rows are not named, each with the reason."""


REPLACED = {
    *("condition", "file", "form_field", "integration", "invitation", "label", "payment", "session", "signature"),
    *("signed_document", "warning", "archive"),
}
"""The tables of which it is named when rows go: as long as an archive is there, no row of another table does."""


def unnamed(named: Named) -> tuple[dict[str, set[str]], set[str], set[str]]:
    """Return the columns of which a change is not named, by table; the tables of which a new row is not named; and the
    tables of which it is named when rows go.

    Nothing stays changed.
    """
    columns, tables, replaced = dict[str, set[str]](), set[str](), set[str]()
    entries = table_of(SettlementEntryRow)
    found = {table_of(row): which(named) for row, which in REMOVED.items()}
    found[entries] = entries.c.reference == named.reference
    with engine().connect() as connection:
        for table, which in found.items():
            rows = [dict(each) for each in connection.execute(select(table).where(which)).mappings()]
            if not rows or table.name == "change":
                continue
            *_, row = rows
            one = and_(*(each == row[each.name] for each in table.primary_key))
            keys = {*(each.name for each in table.primary_key), "reference"}
            others = {each.name: _other(row[each.name], each.type) for each in table.c if each.name not in keys}
            silent = {
                name
                for name, value in others.items()
                if not _names(connection, update(table).where(one).values({name: value}))
            }
            if not _names(connection, delete(table).where(which), delete(ChangeRow), insert(table).values(rows)):
                tables.add(table.name)
            if _names(connection, delete(table).where(which)):
                replaced.add(table.name)
            if silent and not (table.name in tables and silent == others.keys()):
                columns[table.name] = silent
    return columns, tables, replaced


def _other(value: Any, of: TypeEngine[Any]) -> Any:
    """Return another value of a type."""
    kind: Any = datetime if isinstance(of, Moment) else of.python_type
    if kind is bool:
        return not value
    if kind in (int, float):
        return (value or 0) + 1
    if kind in (date, datetime):
        return (value or (NOON if kind is datetime else NOON.date())) + timedelta(days=1)
    others: dict[Any, Any] = {dict: {"other": 1}, bytes: b"other"}
    return others.get(kind, "x")


def _names(connection: Connection, *statements: Any) -> bool:
    """Return whether statements add a change, and take them back."""
    number = select(func.count()).select_from(ChangeRow)
    with connection.begin_nested() as tried:
        if len(statements) == 1:
            connection.execute(delete(ChangeRow))
        for each in statements:
            connection.execute(each)
        is_named = bool(connection.execute(number).scalar())
        tried.rollback()
    return is_named
