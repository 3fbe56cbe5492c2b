"""Lists archives for people: filters, newest first, page by page."""

from typing import Any

from sqlalchemy import case
from sqlmodel import SQLModel, col, func, select

from adapters.database.listing import id_cursor, id_of_cursor
from adapters.database.transactions import reading
from adapters.search.attention import OF_DELIVERIES
from adapters.search.pages import Wanted, newest
from adapters.tables import conditions
from models.archive.archive import ArchiveRow
from models.archive.content import FileRow
from models.archive.warning import WarningRow
from models.discrepancies import DiscrepancyRow, DiscrepancyState
from models.search import SearchEntryRow
from models.views.archives.archives import ArchivePage, ArchiveQuery, ArchiveSummary, CauseView
from services import derived
from services.templates import called, titled
from services.views.archive_conditions import filters_of

_NOT_CLOSED = col(DiscrepancyRow.state) != DiscrepancyState.CLOSED


def page(query: ArchiveQuery) -> ArchivePage:
    """Return archives, newest first.

    Raises:
        Refused: the cursor is invalid, a label or a field has no `=`, or archives are not found by it.
    """
    filters = filters_of(query)
    wanted = Wanted(
        filters.facets,
        filters.terms,
        filters.conditions,
        filters.reference,
        query.received_after,
        query.received_before,
        None if query.cursor is None else id_of_cursor(query.cursor),
    )
    with reading() as session:
        ids = newest(session, wanted, query.limit + 1)
        rows = session.exec(_summaries(ids[: query.limit])).all()
        wrong = conditions.of_archives_within(session, [row[0].reference for row in rows])
    names = {each: called(each) for each in {row[0].template_id for row in rows}}
    items = [
        ArchiveSummary(
            **archive.model_dump(),
            title=titled(title, archive.template_id, names[archive.template_id]),
            cause=CauseView.of(archive),
            conditions=wrong.get(archive.reference, []),
            files=files,
            warnings=warnings,
            discrepancies=standing,
        )
        for archive, files, warnings, standing, title in rows
    ]
    later = id_cursor(ids[query.limit - 1]) if len(ids) > query.limit else None
    return ArchivePage(items=items, next=later, not_indexed=derived.lacking(derived.SEARCH) or 0)


def _summaries(ids: list[int]) -> Any:
    """Select archives with the numbers of their files, warnings and discrepancies that are not closed; and titles."""
    warnings = sum((case((each, 1), else_=0) for each in OF_DELIVERIES.values()), _count(WarningRow))
    entry_id = col(SearchEntryRow.id)
    found = select(ArchiveRow, _count(FileRow), warnings, _count(DiscrepancyRow, _NOT_CLOSED))
    joined = found.join(SearchEntryRow, col(SearchEntryRow.reference) == col(ArchiveRow.reference))
    titled = joined.add_columns(col(SearchEntryRow.title))
    return titled.where(entry_id.in_(ids)).order_by(entry_id.desc())


def _count(table: type[SQLModel], *conditions: Any) -> Any:
    columns = SQLModel.metadata.tables[str(table.__tablename__)].c
    counted = select(func.count()).select_from(table).where(columns.reference == ArchiveRow.reference, *conditions)
    return counted.correlate(ArchiveRow).scalar_subquery()
