"""The index of trigrams on Postgres, which needs the extension `pg_trgm`. On SQLite a migration makes its own index."""

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from adapters.database.transactions import reading

_INDEX = "ix_search_entry_text"
_STATEMENTS = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    f"CREATE INDEX IF NOT EXISTS {_INDEX} ON search_entry USING gin (text gin_trgm_ops) WITH (fastupdate = on)",
    "ALTER TABLE search_entry ALTER COLUMN text SET STATISTICS 1000",
)


def make_text_index(connection: Connection) -> None:
    """Make the index if it is missing. Without the right or the extension, search stays right and becomes slow, which
    `cellar status` reports.
    """
    if connection.dialect.name == "postgresql" and not _is_there(connection):
        try:
            with connection.begin_nested():
                for each in _STATEMENTS:
                    connection.execute(text(each))
        except DBAPIError:
            return


def has_text_index() -> bool:
    """Return whether texts are searched by an index."""
    with reading() as session:
        return session.get_bind().dialect.name != "postgresql" or _is_there(session.connection())


def _is_there(connection: Connection) -> bool:
    return connection.execute(text("SELECT to_regclass(:name)"), {"name": _INDEX}).scalar_one() is not None
