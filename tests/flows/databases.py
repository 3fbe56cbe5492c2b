"""Compares and rebuilds whole databases."""

import time
from collections import defaultdict
from collections.abc import Collection

import psycopg
from sqlalchemy import JSON, MetaData, Text

from adapters.database import transactions
from adapters.settings.settings import settings
from adapters.store import happened
from models.search import TEXT_INDEX
from services.custody.objects import stored_objects
from services.custody.rebuilding import check_empty, rebuild
from tests.conftest import MIGRATED, Configure, make_tables, url_of

LOGINS = {"login", "wrong_tokens", "last_use"}
AT_WORK = {"change", "lease", "task_result", "waiting", "noted", "people_address", "unsent_access"}
"""Tables of what is under way: it begins again."""
FOUND_AGAIN = {"condition", "stored_object", "endpoint"}
"""Tables of what the next check of the store finds, and of endpoints: they are kept sealed (`kept_endpoints`), and how
each fares is found out anyway.
"""
DECIDED_AGAIN = {"session_event.decide_at", "session_event.is_answered"}
"""How far the search for missing processes is: the next search begins anew, and comes to the same findings."""
_TABLES = defaultdict[str, MetaData](MetaData)
"""The tables of a migrated database, by its kind."""


def rows() -> dict[str, list[str]]:
    """Return every row that a rebuild brings back as it was."""
    found = rows_of_tables(without=DECIDED_AGAIN)
    return {name: its for name, its in found.items() if name not in LOGINS | AT_WORK | FOUND_AGAIN}


def rows_of_tables(without: Collection[str] = ()) -> dict[str, list[str]]:
    """Return the rows of each table that the database has, without some columns: `table.column`."""
    with transactions.reading() as session:
        connection = session.connection()
        there = _TABLES[connection.dialect.name]
        if not there.tables:
            there.reflect(connection)  # takes 0.2 s of the processor
            for column in (each for table in there.tables.values() for each in table.columns):
                if isinstance(column.type, JSON) and connection.dialect.name == "sqlite":
                    column.type = Text()  # which shows whether a missing value is NULL or `null`
        return {
            name: sorted(
                str({key: value for key, value in row._mapping.items() if f"{name}.{key}" not in without})
                for row in connection.execute(table.select())
            )
            for name, table in there.tables.items()
            if name not in TEXT_INDEX  # its blocks depend on the order in which texts came
        }


def in_new_database(configure: Configure) -> int:
    """Rebuild into an empty database beside the current one, as after a sweep, and return the number of archives."""
    happened.keep_all()
    configure(database_url=new_database_beside(settings().database_location))
    make_tables()
    check_empty()
    rebuilt = rebuild(stored_objects(), lambda _: None)
    assert rebuilt.damaged == ()
    return rebuilt.archives


def new_database_beside(location: str) -> str:
    """Return the URL of an empty database of the same kind, which has its tables already if it is Postgres."""
    if location.startswith("sqlite:"):
        return location.replace("cellar.db", "again.db")
    name = f"again_{time.monotonic_ns()}"
    with psycopg.connect(location, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {MIGRATED}".encode())
    return url_of(location, name)
