"""Makes the schema of an empty database: tables of the models, views of the ledger, triggers, the index of texts.

Triggers keep rows of the access log from being changed, and from being deleted within 24 months: also from a faulty
program.
"""

from sqlalchemy import Connection
from sqlmodel import SQLModel

import models.every_table  # noqa: F401 -- the tables
from migrations.changes import create_triggers
from migrations.ledger import create_views
from models.changes import ChangeRow
from models.columns import table_of

_CHANGE_ON_SQLITE = """
CREATE TABLE change (
    position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, reference VARCHAR(255) NOT NULL, kind VARCHAR(16) NOT NULL,
    at DATETIME NOT NULL)
"""
"""SQLite gives no position twice, also where the newest row has gone."""
_TEXT_INDEX = (
    "CREATE VIRTUAL TABLE search_text USING fts5(text, content='search_entry', content_rowid='id', "
    "tokenize='trigram', detail='none', columnsize=0)"
)
"""The index of trigrams keeps no positions: a found text is compared with the whole term anyway."""
_TRIGGERS = {
    "search_entry_added": "INSERT ON search_entry BEGIN {add}; END",
    "search_entry_removed": "DELETE ON search_entry BEGIN {remove}; END",
    "search_entry_changed": "UPDATE OF id, text ON search_entry BEGIN {remove}; {add}; END",
}
_ADD = "INSERT INTO search_text (rowid, text) VALUES (new.id, new.text)"
_REMOVE = "INSERT INTO search_text (search_text, rowid, text) VALUES ('delete', old.id, old.text)"
_KEPT_ON_SQLITE = (
    "CREATE TRIGGER access_unchanged BEFORE UPDATE ON access BEGIN SELECT RAISE(ABORT, 'access is append-only'); END",
    "CREATE TRIGGER access_kept BEFORE DELETE ON access WHEN old.at > datetime('now', '-731 days') "
    "BEGIN SELECT RAISE(ABORT, 'access is kept for 24 months'); END",
)
_KEPT_ON_POSTGRES = (
    "CREATE FUNCTION access_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "IF TG_OP = 'DELETE' AND old.at <= now() - interval '731 days' THEN RETURN old; END IF; "
    "RAISE EXCEPTION 'access is append-only, and kept for 24 months'; END $$",
    "CREATE TRIGGER access_kept BEFORE UPDATE OR DELETE ON access FOR EACH ROW EXECUTE FUNCTION access_is_kept()",
    "CREATE TRIGGER access_whole BEFORE TRUNCATE ON access FOR EACH STATEMENT EXECUTE FUNCTION access_is_kept()",
)


def make_schema(database: Connection) -> None:
    """Make all tables, indexes, views and triggers, in the transaction of a connection to an empty database."""
    is_sqlite = database.dialect.name == "sqlite"
    if is_sqlite:
        database.exec_driver_sql(_CHANGE_ON_SQLITE)
        for index in table_of(ChangeRow).indexes:
            index.create(database)
    SQLModel.metadata.create_all(database)
    for statement in _KEPT_ON_SQLITE if is_sqlite else _KEPT_ON_POSTGRES:
        database.exec_driver_sql(statement)
    if is_sqlite:
        database.exec_driver_sql(_TEXT_INDEX)
        for name, body in _TRIGGERS.items():
            database.exec_driver_sql(f"CREATE TRIGGER {name} AFTER {body.format(add=_ADD, remove=_REMOVE)}")
    create_views(database)
    create_triggers(database)
