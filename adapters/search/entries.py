"""Writes the entries of archives, in the transactions that write what the entries follow from.

Statements are made once and run without the ORM, since each archive takes several.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy
from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlmodel import Session, SQLModel, col

from adapters.database.transactions import upsert
from adapters.settings.settings import settings
from domain.search.facets import Facets, Rows, archive_facets, discrepancy_facets, payload_facets, text_of
from domain.search.order import first_id_after, first_id_at, ids_for
from models.archive.archive import ArchiveRow
from models.payments.discrepancy import DiscrepancyRow, DiscrepancyState
from models.search.entry import Kind, Searchable, SearchEntryRow, SearchFacetRow

_ENTRY = SQLModel.metadata.tables[str(SearchEntryRow.__tablename__)]
_FACET = SQLModel.metadata.tables[str(SearchFacetRow.__tablename__)]
_ID = select(_ENTRY.c.id).where(_ENTRY.c.reference == bindparam("its_reference", type_=sqlalchemy.String()))
_KNOWN = select(_FACET.c.kind, _FACET.c.facet).where(
    _FACET.c.entry_id == bindparam("its_entry"), _FACET.c.kind.in_(bindparam("kinds", expanding=True))
)
_REMOVED = delete(_FACET).where(
    _FACET.c.entry_id == bindparam("its_entry"),
    _FACET.c.kind == bindparam("its_kind"),
    _FACET.c.facet == bindparam("its_facet"),
)
_TEXT = (
    update(_ENTRY)
    .where(_ENTRY.c.id == bindparam("its_entry"), _ENTRY.c.text != bindparam("new_text"))
    .values(text=bindparam("new_text"))
)


def searchable() -> Searchable:
    """Return which labels and form fields archives are found by, as the settings say."""
    made = settings()
    return Searchable(frozenset(made.search_labels), frozenset(made.search_fields))


def add(session: Session, archive: ArchiveRow) -> int:
    """Add the entry of an archive that has none, with what is known before it is loaded, and return its id."""
    text = text_of(archive, None, searchable())
    for number in ids_for(archive.reference, archive.received_at):
        row = {"id": number, "reference": archive.reference, "text": text}
        added = upsert(session, SearchEntryRow).values(**row).on_conflict_do_nothing(index_elements=["id"])
        # Of two archives of the same moment, exactly one gets the id: the other takes the next.
        if session.connection().execute(added.returning(_ENTRY.c.id)).first() is not None:
            set_facets(session, number, archive_facets(archive), is_new=True)
            return number
    raise AssertionError("the ids never end")


def set_archive(session: Session, archive: ArchiveRow) -> None:
    """Make the facets of an archive those of its row. An archive that `cellar migrate` has not reached is skipped."""
    session.flush()
    if (number := entry_id(session, archive.reference)) is not None:
        set_facets(session, number, archive_facets(archive))


def set_payload(session: Session, archive: ArchiveRow, rows: Rows) -> None:
    """Make the text and the facets of an archive those of the rows of its current version."""
    number = entry_id(session, archive.reference)
    if number is None:
        number = add(session, archive)
    wanted = searchable()
    session.connection().execute(_TEXT, {"its_entry": number, "new_text": text_of(archive, rows, wanted)})
    set_facets(session, number, {**archive_facets(archive), **payload_facets(rows, wanted)})


def set_discrepancies(session: Session, references: Iterable[str]) -> None:
    """Make the facets of archives those of their discrepancies that are not closed."""
    for reference in references:
        if (number := entry_id(session, reference)) is not None:
            its = (col(DiscrepancyRow.reference) == reference, col(DiscrepancyRow.state) != DiscrepancyState.CLOSED)
            codes = session.connection().execute(select(col(DiscrepancyRow.code)).where(*its).distinct()).scalars()
            set_facets(session, number, discrepancy_facets(codes))


def set_facets_of(session: Session, reference: str, facets: Facets) -> None:
    """Make the facets of an archive, of the kinds that are named, exactly these."""
    if (number := entry_id(session, reference)) is not None:
        set_facets(session, number, facets)


def move(session: Session, reference: str, received_at: datetime) -> None:
    """Give an archive the place in the list of the time at which it was received, if that has changed."""
    number = entry_id(session, reference)
    if number is None or first_id_at(received_at) <= number < first_id_after(received_at):
        return
    place = next(each for each in ids_for(reference, received_at) if not _is_taken(session, each))
    session.connection().execute(update(_ENTRY).where(_ENTRY.c.id == number).values(id=place))
    session.connection().execute(update(_FACET).where(_FACET.c.entry_id == number).values(entry_id=place))


def entry_id(session: Session, reference: str) -> int | None:
    """Return the id of the entry of an archive, None if it has none yet."""
    found: int | None = session.connection().execute(_ID, {"its_reference": reference}).scalar_one_or_none()
    return found


def set_facets(session: Session, number: int, facets: Facets, *, is_new: bool = False) -> None:
    """Make the facets of an entry, of the kinds that are named, exactly these. What is right already stays untouched.

    Args:
        is_new: the entry has no facets, so none are looked for.
    """
    wanted = {(str(kind), each) for kind, its in facets.items() for each in its}
    known = set() if is_new else _known(session, number, facets)
    removed = [{"its_entry": number, "its_kind": kind, "its_facet": each} for kind, each in sorted(known - wanted)]
    added = [{"entry_id": number, "kind": kind, "facet": each} for kind, each in sorted(wanted - known)]
    if removed:
        session.connection().execute(_REMOVED, removed)
    if added:
        session.connection().execute(insert(_FACET), added)


def _known(session: Session, number: int, kinds: Collection[Kind] | Mapping[Kind, Any]) -> set[tuple[str, int]]:
    asked = {"its_entry": number, "kinds": [str(each) for each in kinds]}
    return {(kind, each) for kind, each in session.connection().execute(_KNOWN, asked)}


def _is_taken(session: Session, number: int) -> bool:
    counted = select(func.count()).select_from(_ENTRY).where(_ENTRY.c.id == number)
    return bool(session.connection().execute(counted).scalar_one())
