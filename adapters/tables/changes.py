"""Reads what changed in archives, in order and none skipped, and begins its epochs.

A row that is not committed yet may get a lower position than committed rows. So what is read ends below the *horizon*:
on Postgres, the oldest transaction that goes on. SQLite has one writer at a time.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, literal, literal_column, null, select, text, tuple_
from sqlmodel import Session

from adapters.database.transactions import reading, writing
from models.archive.archive import ArchiveRow
from models.changes import ChangeRow
from models.columns import Moment, table_of
from models.erasures import TombstoneRow
from models.search import SearchEntryRow, SearchFacetRow

_CHANGE, _ENTRY, _FACET = table_of(ChangeRow), table_of(SearchEntryRow).c, table_of(SearchFacetRow).c
_PLACE = (_CHANGE.c.position, _CHANGE.c.reference, _CHANGE.c.kind)
_IS_EPOCH = _CHANGE.c.position == 0
_LOCK = 0xC4A26E  # of an advisory lock; any that no other code uses
_OF_OTHERS = ("duplicate", "attention")
"""Kinds of changes that nobody with a scope sees, since another archive may be their cause."""
_HORIZON = {
    "sqlite": "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'change'), 0) + 1",
    "postgresql": "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint",
}
_COUNTED_BY = {
    "sqlite": "SELECT 'file'",
    "postgresql": "SELECT system_identifier || '-' || timeline_id FROM pg_control_system(), pg_control_checkpoint()",
}
"""Who counts the positions: another server does so otherwise, and so does a standby that takes over."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place between two changes of an epoch: behind the row with these columns, or with lower ones."""

    position: int
    reference: str
    kind: str
    epoch: str


def changes(after: Place | None, most: int, facets: Sequence[int] = ()) -> tuple[Sequence[Any], Place]:
    """Return up to `most` changes behind a place, in order, and the next place.

    A place of an earlier epoch stands for the beginning: there, each archive that is there has a change, and each that
    was erased. `facets` are those of the archives that are seen, as a caller with a scope sees them.
    """
    with reading() as session:
        if epoch := _epoch(session):
            horizon = _said(session, _HORIZON)
            is_known = after and after.epoch == epoch and after.position <= horizon
            place = after if after and is_known else Place(1, "", "", epoch)
            behind = tuple_(*_PLACE) > tuple_(place.position, place.reference, place.kind)
            found = select(_CHANGE).where(behind, _CHANGE.c.position < horizon, *_seen(facets))
            rows = session.connection().execute(found.order_by(*_PLACE).limit(most)).all()
            if len(rows) < most:
                return rows, Place(horizon, "", "", epoch)
            return rows, Place(rows[-1].position, rows[-1].reference, rows[-1].kind, epoch)
    _begin()
    return changes(after, most, facets)


def horizon() -> Place:
    """Return the place behind all changes that are there."""
    with reading() as session:
        if epoch := _epoch(session):
            return Place(_said(session, _HORIZON), "", "", epoch)
    _begin()
    return horizon()


def changed(after: int, before: Place, most: int) -> tuple[set[str] | None, bool]:
    """Return the archives that changed from a position on and before a place, None if they are more than `most`, and
    whether some were erased.
    """
    its = _CHANGE.c.position >= after, _CHANGE.c.position < before.position, ~_IS_EPOCH
    is_erased = _CHANGE.c.kind == "erased"
    with reading() as session:
        asked = select(_CHANGE.c.reference).where(*its, ~is_erased).distinct().limit(most + 1)
        found = {*session.connection().execute(asked).scalars()}
        erased = session.connection().execute(select(_CHANGE.c.reference).where(*its, is_erased).limit(1)).first()
    return found if len(found) <= most else None, erased is not None


def _seen(facets: Sequence[int]) -> list[ColumnElement[bool]]:
    entry = select(_ENTRY.id).where(_ENTRY.reference == _CHANGE.c.reference, _FACET.entry_id == _ENTRY.id)
    its = [entry.where(_FACET.facet == each).exists() for each in facets]
    return [*its, _CHANGE.c.kind.not_in(_OF_OTHERS)] if its else []


def _epoch(session: Session) -> str | None:
    """Return the epoch; None if none has begun on this database."""
    found: str | None = session.connection().execute(select(_CHANGE.c.reference).where(_IS_EPOCH)).scalar()
    return found if found and found.endswith(f".{_said(session, _COUNTED_BY)}") else None


def _said(session: Session, by_dialect: dict[str, str]) -> Any:
    return session.connection().execute(text(by_dialect[session.get_bind().dialect.name])).scalar_one()


def _begin() -> None:
    """Begin an epoch: with a change of each archive that is there, and of each that was erased."""
    with writing() as session:
        is_postgres = session.get_bind().dialect.name == "postgresql"
        if is_postgres:
            session.connection().execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if _epoch(session) is None:  # else another process has begun it
            session.connection().execute(delete(_CHANGE))
            number: Any = literal_column("pg_current_xact_id()::text::bigint") if is_postgres else null()
            epoch = literal(f"{secrets.token_hex(8)}.{_said(session, _COUNTED_BY)}")
            archive, tombstone = table_of(ArchiveRow).c.reference, table_of(TombstoneRow).c.digest
            for place in ((literal(0), epoch, "epoch"), (number, archive, "content"), (number, tombstone, "erased")):
                rows = select(*place[:2], literal(place[2]), literal(datetime.now(UTC), Moment()))
                session.connection().execute(insert(_CHANGE).from_select(_CHANGE.c.keys(), rows))
