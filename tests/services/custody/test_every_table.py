"""Verification finds what the database alone has lost, changed or added, in every table that follows from the store."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import Table, UniqueConstraint, true
from sqlmodel import SQLModel

import models.every_table  # noqa: F401 -- registers them
from adapters.database.transactions import reading, writing
from adapters.search.templates import forget
from adapters.settings.settings import settings
from adapters.tables.open_conditions import open_conditions
from models.columns import Moment
from models.store.condition import ConditionCode
from models.store.fixity import FixityFinding, StoredObject
from models.views.health import Grade
from services.custody.objects import stored_objects
from services.custody.rebuilding import rebuild
from services.custody.remembering import Memory, check_again
from services.custody.verifying import missing, verify_objects
from services.custody.verifying_records import verify_beside
from services.health.agreement import agreement_probes
from services.processing.completion import load
from services.receipts import latest_receipt_id, stored_archive
from tests.conftest import Configure, make_tables
from tests.installations import archived
from tests.samples import sample_body
from tests.services.custody import test_rebuilding
from tests.services.custody.test_rebuilding import fill

_installation = test_rebuilding._installation
pytestmark = pytest.mark.usefixtures("prefect")

_MESSAGE_STATE = (
    *("endpoint_name", "event_id", "state", "skipped_why", "values", "attempts", "next_attempt_at", "expires_at"),
    *("claimed_until", "delivered_at", "tried_before", "next_trigger", "next_by"),
)
_DECIDED_AGAIN = ("line", "match", "reference", "payment_id")
OF_ARCHIVES: dict[str, tuple[str, ...]] = {
    "archive": ("read_on",),  # the terms of the last load; the rows are compared by them and by those of today
    **dict.fromkeys(("receipt", "version", "run", "event", "notification_attempt"), ()),
    "delivery": ("flow_run_id",),  # a sweep that starts a run again names the new one
    "notification": _MESSAGE_STATE,  # how far it is; each attempt is compared
    **dict.fromkeys(("file", "session", "invitation", "integration", "label", "signature", "form_field"), ()),
    **dict.fromkeys(("payment", "payment_key", "signed_document", "warning"), ()),
    "search_entry": ("version",),  # an entry of another version is made again by the workers
    **dict.fromkeys(("search_facet", "facet_value"), ()),
}
BESIDE: dict[str, tuple[str, ...]] = {
    "session_event": ("is_known", "decide_at", "is_answered", "batch"),  # what a build knows; how far the search is
    "settlement_report": (),
    "settlement_entry": ("kind", *_DECIDED_AGAIN),  # another kind cannot be read
    "template": ("key", "changed_at", "changed_by"),
    **dict.fromkeys(("action", "batch", "batch_item", "discrepancy", "discrepancy_event", "form_column"), ()),
    **dict.fromkeys(("hold", "missing_process", "saved_view", "tombstone_mark"), ()),
}
FOLLOWS = OF_ARCHIVES | BESIDE
"""The tables of which the store has each row, with the columns that are no fact of the store."""
OWNED = {"notification_attempt": ("notification", "message_id")}
NOTHING_ADDED = {
    **dict.fromkeys(("session_event", "settlement_entry"), "they follow from no archive"),
    "facet_value": "no archive has its facet",
}
FOLLOWS_FROM_ROWS = ("due_action", "due_at")
"""Of an archive. A finding of its own says that they are others."""
STATE = {
    **dict.fromkeys(("login", "wrong_tokens", "last_use"), "who is signed in"),
    **dict.fromkeys(("change", "lease", "task_result", "waiting", "noted", "unsent_access"), "what is under way"),
    **dict.fromkeys(("condition", "stored_object", "derived"), "what checks found, and how far they are"),
    "access": "it is compared by its chains",
    "people_address": "what people were told; in a new database they hear of all that is open",
    "tombstone": "compared as tables of what happened are; its removal brings its archive back as one that is erased",
    "endpoint": "how an endpoint fares; its definition is kept sealed, and follows from no archive",
    "refused": "the quarantine has it",
    "settlement_candidate": "which archives an entry may belong to; each run of these decides again",
    "damaged_report": "the reports that the last reading could not read",
}


def test_each_table_is_compared_with_the_store_or_says_why_not() -> None:
    assert FOLLOWS.keys() | STATE.keys() == SQLModel.metadata.tables.keys()
    assert not FOLLOWS.keys() & STATE.keys()


def differing(name: str) -> list[FixityFinding]:
    forget()  # what people say about templates
    objects = list(stored_objects())
    if name in OF_ARCHIVES:
        fixity = verify_objects(objects) + missing({each.key for each in objects})
    else:
        fixity = verify_beside()
    return list(fixity.findings)


def replaced(table: Table, before: list[Any], after: list[Any]) -> None:
    with writing() as session:
        for row in before:
            its = [column == row[column.name] for column in table.primary_key]
            session.connection().execute(table.delete().where(*its))
        if after:
            session.connection().execute(table.insert(), after)


@contextmanager
def rows(table: Table, before: list[Any], after: list[Any]) -> Iterator[None]:
    """Replace rows of the database alone until the end of the block."""
    replaced(table, before, after)
    yield
    replaced(table, after, before)


def other(table: Table, name: str, value: Any) -> Any:  # noqa: PLR0911 -- a line for each type
    column = table.c[name].type
    if isinstance(column, Moment):
        return (value or datetime.fromisoformat("2026-01-01T00:00:00Z")) - timedelta(days=3)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 90
    if isinstance(value, bytes):
        return b"{}"
    if isinstance(value, str):
        return "0" * len(value) if re.fullmatch("[0-9a-f]{64}", value) and value.strip("0") else f"{value[:-1]}~"
    if isinstance(value, date):
        return value - timedelta(days=3)
    if value is None:
        made = {"int": 7, "float": 7.5, "bool": True, "date": date(2026, 1, 1), "dict": {"x": 1}}
        return made.get(column.python_type.__name__, "x")
    return {"x": 1} if isinstance(value, dict) else [{"x": 1}]


def first_row(table: Table) -> dict[str, Any]:
    """Return a row of an archive that has versions, if there is one."""
    owner, key = OWNED.get(table.name, (table.name, ""))
    its = SQLModel.metadata.tables[owner].c
    asked = table.select()
    if "reference" in its:
        asked = asked.where(its.reference == "process-1", table.c[key] == its[key] if key else true())
    with reading() as session:
        found = list(session.connection().execute(asked).mappings())
        return dict((found or list(session.connection().execute(table.select()).mappings()))[-1])


def keyed_otherwise(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    keys = table.primary_key.columns.keys()
    unique = {each.name for each in table.c if each.unique} | {keys[-2 if table.name == "run" else -1]}
    unique |= {each.columns.keys()[-1] for each in table.constraints if isinstance(each, UniqueConstraint)}
    unique |= {each.columns.keys()[-1] for each in table.indexes if each.unique}
    unique |= {each.name for each in table.c if isinstance(each.type, Moment) and row[each.name]}  # before this hour
    return {**row, **{name: other(table, name, row[name]) for name in unique}}


def test_rows_that_the_database_alone_has_lost_changed_or_added_are_found(configure: Configure) -> None:
    """Where the finding names columns, it names each that was changed."""
    fill(configure)
    assert differing("archive") == []
    before = differing("template")  # no key of the store lacks what is not there yet
    unseen = []
    for name, but in FOLLOWS.items():
        table = SQLModel.metadata.tables[name]
        row, keys = first_row(table), set(table.primary_key.columns.keys())
        changed = {each.name: other(table, each.name, row[each.name]) for each in table.c}
        changed = {each: value for each, value in changed.items() if each not in keys | {*but, "reference"}}
        pointer = {each: changed.pop(each) for each in ("current_receipt_id",) if each in changed}
        ways = [("lost", []), ("added", [row, keyed_otherwise(table, row)])]
        ways += [("changed", [row | each]) for each in (changed, pointer) if each]
        for way, after in ways:
            with rows(table, [row], after):
                found = [each for each in differing(name) if each not in before]
            if not found and (way, name) not in product(["added"], NOTHING_ADDED):
                unseen.append(f"{way}: {name}")
            its = " ".join(each.found for each in found if each.expected == f"table {name} as the store says")
            named = changed.keys() & after[0].keys() - set(FOLLOWS_FROM_ROWS) if way == "changed" else set()
            if "has another" in its and after != [row | pointer]:
                unseen += [f"{name}.{each}" for each in named if not re.search(rf"\b{each}(_sha256)?\b", its)]
    assert not unseen, "\n".join(unseen)
    assert (differing("archive"), differing("template")) == ([], before)


def remembered() -> set[str]:
    """Check everything, and return the open conditions of archives and store."""
    Memory().check_store(1, 0)
    return {each.code for each in open_conditions([ConditionCode.ROWS_DIFFER])}


def test_run_brings_back_the_rows_and_what_the_archive_is_found_by() -> None:
    for reference in ("process-1", "process-2"):
        archived(reference, sample_body(reference, payments=[]))
    for name in ("warning", "payment", "search_entry", "form_field"):
        its = SQLModel.metadata.tables[name]
        with writing() as session:
            session.connection().execute(its.delete().where(its.c.reference == "process-1"))
    assert remembered() == {ConditionCode.ROWS_DIFFER}

    load(stored_archive("process-1", latest_receipt_id("process-1")))
    assert check_again("process-1") is False
    assert remembered() == set()


def test_database_whose_rebuild_was_killed_says_so_once(configure: Configure) -> None:
    for number in range(3):
        archived(f"process-{number}", sample_body(f"process-{number}"))
    configure(database_url=settings().database_location.replace("cellar.db", "again.db"))
    make_tables()
    assert len(Memory().check(stored_objects()).findings) == 3

    def killed(_: StoredObject) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(stored_objects(), killed)
    (finding,) = Memory().check_store(1, 0)[0].findings
    assert (finding.key, finding.found) == ("archives", "a rebuild goes on, or was killed")
    (schema,) = [each for each in agreement_probes("") if each.name == "schema"]
    assert schema.try_out().verdict is Grade.WARNING
