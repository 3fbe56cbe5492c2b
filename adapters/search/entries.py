"""Writes the entries of archives, in the transactions that write what the entries follow from.

Statements are made once and run without the ORM, since each archive takes several.
"""

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy
from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlmodel import Session, SQLModel, col

from adapters.database.transactions import upsert
from adapters.search.attention import NEEDS_ATTENTION, OF_DELIVERIES
from adapters.settings.settings import settings
from domain.search.facets import (
    Facets,
    Rows,
    archive_facets,
    attention_facets,
    discrepancy_facets,
    facet,
    may_need_attention,
    payload_facets,
    text_of,
)
from domain.search.order import first_id_after, first_id_at, ids_for
from models.archive.archive import ArchiveRow
from models.payments import DiscrepancyRow, DiscrepancyState
from models.search.entry import Kind, Searchable, SearchEntryRow, SearchFacetRow

_ENTRY = SQLModel.metadata.tables[str(SearchEntryRow.__tablename__)]
_FACET = SQLModel.metadata.tables[str(SearchFacetRow.__tablename__)]
_ID = select(_ENTRY.c.id).where(_ENTRY.c.reference == bindparam("its_reference", type_=sqlalchemy.String()))
_LOCKED = _ID.with_for_update()
_KNOWN = (
    select(_ENTRY.c.id, _FACET.c.kind, _FACET.c.facet)
    .join_from(_ENTRY, _FACET, _FACET.c.entry_id == _ENTRY.c.id, isouter=True)
    .where(_ENTRY.c.reference == bindparam("its_reference", type_=sqlalchemy.String()))
)
_NEEDS_ATTENTION = (str(Kind.ATTENTION), facet(Kind.ATTENTION, True))
_ASKED = sqlalchemy.select(NEEDS_ATTENTION, *OF_DELIVERIES.values()).where(
    col(ArchiveRow.reference) == bindparam("its_reference", type_=sqlalchemy.String())
)
_LOCK_OF_ADDING = 0x5EA7C4  # the first of two numbers of an advisory lock; any that no other code uses
_ADDING = sqlalchemy.text("SELECT pg_advisory_xact_lock(:lock, hashtext(:reference))")
_ADDED = insert(_FACET)
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
            _change(session, number, set(), archive_facets(archive))
            return number
    raise AssertionError("the ids never end")


def set_archive(session: Session, archive: ArchiveRow) -> None:
    """Make the facets of an archive those of its row. An archive that `cellar migrate` has not reached is skipped."""
    set_facets(session, archive.reference, archive_facets(archive))


def set_payload(session: Session, archive: ArchiveRow, rows: Rows) -> None:
    """Make the text and the facets of an archive those of the rows of its current version."""
    number, known = _known(session, archive.reference)
    if number is None:
        number = add(session, archive)
        set_attention(session, archive.reference)  # deliveries may be a reason, which no row of the payload shows
        _, known = _known(session, archive.reference)
    wanted = searchable()
    session.connection().execute(_TEXT, {"its_entry": number, "new_text": text_of(archive, rows, wanted)})
    _set(session, archive.reference, number, known, {**archive_facets(archive), **payload_facets(rows, wanted)})


def set_discrepancies(session: Session, references: Iterable[str]) -> None:
    """Make the facets of archives those of their discrepancies that are not closed."""
    for reference in sorted(references):
        its = (col(DiscrepancyRow.reference) == reference, col(DiscrepancyRow.state) != DiscrepancyState.CLOSED)
        codes = session.connection().execute(select(col(DiscrepancyRow.code)).where(*its).distinct()).scalars()
        set_facets(session, reference, discrepancy_facets(codes))


def set_facets(session: Session, reference: str, facets: Facets) -> None:
    """Make the facets of an archive, of the kinds that are named, exactly these. What is right stays untouched."""
    number, known = _known(session, reference)
    if number is not None:
        _set(session, reference, number, known, facets)


def set_attention(session: Session, reference: str) -> None:
    """Let an archive be found by whether a person should look at it now. Called when a cause has come or gone.

    An archive that needs nobody, and did not before, is done with: whoever adds a cause meanwhile calls this too. Else
    the entry is locked first, since the causes are in several tables, and others may write these at the same time.
    """
    session.flush()
    _, known, found = _attention(session, reference)
    if not any(found) and _NEEDS_ATTENTION not in known:
        return
    session.connection().execute(_LOCKED, {"its_reference": reference})
    number, known, found = _attention(session, reference)
    if number is not None:
        warnings = [code for code, is_warned in zip(OF_DELIVERIES, found[1:], strict=False) if is_warned]
        _change(session, number, known, attention_facets(found[0], warnings))


def _attention(session: Session, reference: str) -> tuple[int | None, set[tuple[str, int]], list[bool]]:
    """Return the id and the facets of an entry; whether its archive needs a person, and has each of `OF_DELIVERIES`."""
    number, known = _known(session, reference)
    found = session.connection().execute(_ASKED, {"its_reference": reference}).first()
    return number, known, [bool(each) for each in found or (False,)]


def await_adding(session: Session, reference: str) -> None:
    """Wait for the transaction that adds the entry of an archive, or let that transaction wait for this one.

    Otherwise a first delivery and a refused delivery that are registered at once would not see each other. A row that
    is not committed cannot be locked. SQLite has one writer at a time anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.connection().execute(_ADDING, {"lock": _LOCK_OF_ADDING, "reference": reference})


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


def _known(session: Session, reference: str) -> tuple[int | None, set[tuple[str, int]]]:
    """Return the id of an entry, None if there is none, and its facets."""
    rows = session.connection().execute(_KNOWN, {"its_reference": reference}).all()
    return (rows[0][0] if rows else None), {(kind, each) for _, kind, each in rows if kind is not None}


def _set(session: Session, reference: str, number: int, known: set[tuple[str, int]], facets: Facets) -> None:
    _change(session, number, known, facets)
    if _NEEDS_ATTENTION in known or may_need_attention(facets):
        set_attention(session, reference)


def _change(session: Session, number: int, known: set[tuple[str, int]], facets: Facets) -> None:
    wanted = {(str(kind), each) for kind, its in facets.items() for each in its}
    replaced = {each for each in known if each[0] in facets}
    removed = [{"its_entry": number, "its_kind": kind, "its_facet": each} for kind, each in sorted(replaced - wanted)]
    added = [{"entry_id": number, "kind": kind, "facet": each} for kind, each in sorted(wanted - replaced)]
    if removed:
        session.connection().execute(_REMOVED, removed)
    if added:
        session.connection().execute(_ADDED, added)


def _is_taken(session: Session, number: int) -> bool:
    counted = select(func.count()).select_from(_ENTRY).where(_ENTRY.c.id == number)
    return bool(session.connection().execute(counted).scalar_one())
