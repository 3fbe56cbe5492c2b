"""Session events in the database."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlmodel import Session, and_, col, or_, select

from adapters.database.transactions import pages, read_all, reading, upsert, writing
from adapters.tables.erased import erased
from models.archive.session import SessionRow
from models.columns import table_of
from models.completeness.processes import SessionEventRow
from models.errors import Refused

_ROWS_AT_ONCE = 1000

EventRow = Mapping[str, Any]
"""The values of a `SessionEventRow`, by column: a thousand a second would cost too much as objects of the ORM."""


def record(rows: Sequence[EventRow], digests: Mapping[str, Sequence[str]] | None = None) -> None:
    """Record session events. Of an event that comes twice, the earliest arrival is kept, whatever comes first; of an
    arrival that was taken in again, the last file.

    `digests` are those by which an event may be known as one of an erased archive, by its id.

    Raises Refused if one is, and nothing is recorded: `ERASED`.
    """
    with writing() as session:
        if erased(session, digests or {}, {row["reference"] for row in rows} - {None}):
            raise Refused("ERASED", "the archive of an event was erased")
        for page in pages(earliest(rows), _ROWS_AT_ONCE):
            new = upsert(session, SessionEventRow)
            earlier = new.on_conflict_do_update(
                index_elements=["event_id"],
                set_={"received_at": new.excluded.received_at, "batch": new.excluded.batch},
                where=or_(
                    new.excluded.received_at < SessionEventRow.received_at,
                    and_(
                        new.excluded.received_at == SessionEventRow.received_at,
                        new.excluded.batch > SessionEventRow.batch,
                    ),
                ),
            )
            session.connection().execute(earlier, page)


def of_process(session: Session, reference: str, limit: int) -> list[SessionEventRow]:
    """Return the last session events of a process, oldest first.

    They belong to it by its reference; or, without a reference, by the id of one of its archived sessions.
    """
    session_ids = select(SessionRow.id).where(SessionRow.reference == reference, col(SessionRow.id).is_not(None))
    unnamed = col(SessionEventRow.reference).is_(None) & col(SessionEventRow.session_id).in_(session_ids)
    theirs = or_(SessionEventRow.reference == reference, unnamed)
    last = select(SessionEventRow).where(theirs).order_by(col(SessionEventRow.received_at).desc()).limit(limit)
    return list(reversed(session.exec(last).all()))


def batches() -> list[str]:
    """Return the batches that hold session events of the database."""
    return read_all(select(SessionEventRow.batch).where(SessionEventRow.batch != "").distinct())


def found(event_ids: Iterable[str]) -> dict[str, EventRow]:
    """Return the rows of events, by id."""
    table = table_of(SessionEventRow)
    with reading() as session:
        theirs = (table.select().where(table.c.event_id.in_(each)) for each in pages(event_ids))
        read = (session.connection().execute(each) for each in theirs)
        return {row["event_id"]: dict(row) for each in read for row in each.mappings()}


def earliest(rows: Iterable[EventRow]) -> Iterable[EventRow]:
    """Return each event once: one statement of Postgres may change a row only once."""
    found: dict[str, EventRow] = {}
    for row in rows:
        known = found.get(row["event_id"])
        if known is None or row["received_at"] < known["received_at"]:
            found[row["event_id"]] = row
    return found.values()
