"""Makes the rows of the database fit a rewritten store: those of one archive, or of all by a rebuild."""

from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlmodel import SQLModel, col, delete, select

from adapters.database import connections
from adapters.database.transactions import writing
from adapters.settings.settings import settings
from models.completeness.processes import SessionEventRow
from models.messages.notification import NotificationAttemptRow, NotificationRow
from models.search import SearchEntryRow, SearchFacetRow
from models.settlements.settlement import SettlementEntryRow
from services import derived
from services.custody.happened import KEPT
from services.custody.objects import object_of, stored_objects
from services.custody.rebuilding import rebuild, rebuild_object


def database_file() -> Path:
    return Path(settings().database_location.removeprefix("sqlite:///"))


def rebuild_database(migrated: bytes) -> None:
    """Remove the database, and rebuild it from the store as `cellar rebuild` does."""
    connections.engine().dispose()
    for ending in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            database_file().with_name(database_file().name + ending).unlink()
    database_file().write_bytes(migrated)
    rebuild(stored_objects(), lambda _: None)


def adapt_rows(reference: str) -> None:
    """Replace the rows of an archive by those that follow from its object, as the code of the flow makes them."""
    stored = object_of(reference)
    remove_rows(reference)
    if stored.sizes:
        rebuild_object(stored, lambda _: None)
        derived.differing([reference], is_mended=True)  # as a whole rebuild does after its settlements


def remove_rows(reference: str) -> None:
    its_messages = select(NotificationRow.message_id).where(NotificationRow.reference == reference)
    its_entry = select(SearchEntryRow.id).where(SearchEntryRow.reference == reference)
    kept = {
        SettlementEntryRow.__tablename__,
        SessionEventRow.__tablename__,
        *KEPT,
    }  # which stand elsewhere in the store
    with writing() as session:
        session.execute(delete(NotificationAttemptRow).where(col(NotificationAttemptRow.message_id).in_(its_messages)))
        session.execute(delete(SearchFacetRow).where(col(SearchFacetRow.entry_id).in_(its_entry)))
        for name, table in SQLModel.metadata.tables.items():
            if "reference" in table.c and name not in kept:
                session.execute(table.delete().where(table.c.reference == reference))


def rewrite_rows(table: str, column: str) -> str:
    """Change a column of a row, and leave the store alone. Return the archive that the row is about."""
    rows = SQLModel.metadata.tables[table]
    with writing() as session:
        found = session.execute(rows.select().where(rows.c[column].is_not(None))).first()
        assert found
        its = found._mapping
        its_key = [each == its[each.name] for each in rows.primary_key]
        session.execute(rows.update().where(*its_key).values({column: _other(its[column])}))
        return str(its["reference"])


def _other(value: Any) -> Any:
    if isinstance(value, datetime):
        return value - timedelta(days=2)  # more than another time zone of the settings explains
    return value + 1 if isinstance(value, int) else f"{value}x"
