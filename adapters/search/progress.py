"""Remembers how far entries are filled in, and by which settings."""

from collections.abc import Iterator

from sqlalchemy import ColumnElement, delete, or_
from sqlmodel import Session, col, select

from adapters.database.transactions import reading, writing
from adapters.search.attention import NEEDS_ATTENTION, OF_DELIVERIES
from domain.search.facets import facet
from models.archive.archive import ArchiveRow
from models.search.entry import Kind, SearchEntryRow, SearchFacetRow, SearchProgressRow


def missing(searchable: str, at_once: int) -> Iterator[list[str]]:
    """Yield the references of archives that are not filled in by these settings, in pages.

    Once all are, only archives are left that an earlier build has worked on meanwhile: without an entry, or found by
    attention otherwise than their rows say.
    """
    last: str | None = ""
    while last is not None:
        with reading() as session:
            last = _last(session, searchable)
            found = select(ArchiveRow.reference).order_by(col(ArchiveRow.reference)).limit(at_once)
            if last is None:
                break
            page = list(session.exec(found.where(ArchiveRow.reference > last)))
        if not page:
            break
        yield page
    while page := _without_entry(at_once):
        yield page
    after = ""  # each archive once: an earlier build may change it again meanwhile
    while page := _differing_in_attention(after, at_once):
        yield page
        after = page[-1]


def note(searchable: str, last: str) -> None:
    """Record that the archives up to a reference are filled in by these settings."""
    with writing() as session:
        row = session.get(SearchProgressRow, searchable)
        if row is None:
            session.add(SearchProgressRow(searchable=searchable, last=last))
        elif row.last is not None:
            row.last = last


def end(searchable: str) -> None:
    """Record that all archives are filled in by these settings, and by no others."""
    with writing() as session:
        session.execute(delete(SearchProgressRow).where(col(SearchProgressRow.searchable) != searchable))
        session.merge(SearchProgressRow(searchable=searchable, last=None))


def is_complete(searchable: str) -> bool:
    """Return whether all archives are filled in by these settings."""
    with reading() as session:
        row = session.get(SearchProgressRow, searchable)
        return row is not None and row.last is None


def _last(session: Session, searchable: str) -> str | None:
    """Return the last reference that is filled in; None if all are."""
    row = session.get(SearchProgressRow, searchable)
    return "" if row is None else row.last


def _without_entry(at_once: int) -> list[str]:
    has_entry = select(SearchEntryRow.id).where(SearchEntryRow.reference == ArchiveRow.reference).exists()
    with reading() as session:
        found = select(ArchiveRow.reference).where(~has_entry).order_by(col(ArchiveRow.reference))
        return list(session.exec(found.limit(at_once)))


def _differing_in_attention(after: str, at_once: int) -> list[str]:
    is_found = _has_facet(Kind.ATTENTION, True)
    # These warnings are a reason for attention, so that most archives are not asked for them.
    in_warnings = (each.is_distinct_from(_has_facet(Kind.SOURCES, code)) for code, each in OF_DELIVERIES.items())
    differs = NEEDS_ATTENTION.is_distinct_from(is_found) | (is_found & or_(*in_warnings))
    with reading() as session:
        found = select(ArchiveRow.reference).where(ArchiveRow.reference > after, differs)
        return list(session.exec(found.order_by(col(ArchiveRow.reference)).limit(at_once)))


def _has_facet(kind: Kind, value: object) -> ColumnElement[bool]:
    its = (SearchFacetRow.facet == facet(kind, value), SearchFacetRow.kind == kind)
    named = select(SearchEntryRow.reference).join(SearchFacetRow, col(SearchFacetRow.entry_id) == SearchEntryRow.id)
    return col(ArchiveRow.reference).in_(named.where(*its))
