"""Lists archives for people: filters, newest first, page by page."""

from typing import Any

from sqlalchemy import ColumnElement, case, cast, or_
from sqlmodel import SQLModel, String, col, exists, func, select

from adapters.database.listing import Order, listed
from adapters.database.transactions import reading
from models.archive.archive import ArchiveRow, State
from models.archive.content import FileRow
from models.archive.session import LabelRow, SessionRow
from models.archive.warning import WarningRow
from models.errors import Refused
from models.payments.discrepancy import DiscrepancyRow, DiscrepancyState
from models.runs.receipt import DeliveryRow
from models.views.archives import (
    ArchiveFilter,
    ArchivePage,
    ArchiveQuery,
    ArchiveSummary,
    CauseView,
)
from services.views.refused_list import needs_attention

_NOT_CLOSED = col(DiscrepancyRow.state) != DiscrepancyState.CLOSED


_SOURCES_DIFFER = exists().where(
    col(DeliveryRow.reference) == col(ArchiveRow.reference), col(DeliveryRow.source) != col(ArchiveRow.source)
)
_NEWEST_FIRST = Order(col(ArchiveRow.received_at), col(ArchiveRow.reference), is_descending=True)


def page(query: ArchiveQuery) -> ArchivePage:
    """Return archives, newest first.

    Raises:
        Refused: the cursor is invalid, or a label has no `=`.
        Transient: the database does not answer.
    """
    warnings = _count(WarningRow) + case((_SOURCES_DIFFER, 1), else_=0)
    counts = [_count(FileRow), warnings, _count(DiscrepancyRow, _NOT_CLOSED)]
    found = select(ArchiveRow, *counts).where(*conditions_of(query))
    with reading() as session:
        rows, cursor = listed(session, found, _NEWEST_FIRST, query.cursor, query.limit)
    items = [
        ArchiveSummary(
            **archive.model_dump(), cause=CauseView.of(archive), files=files, warnings=warnings, discrepancies=standing
        )
        for archive, files, warnings, standing in rows
    ]
    return ArchivePage(items=items, next=cursor)


def _count(table: type[SQLModel], *conditions: Any) -> Any:
    columns = SQLModel.metadata.tables[str(table.__tablename__)].c
    counted = select(func.count()).select_from(table).where(columns.reference == ArchiveRow.reference, *conditions)
    return counted.correlate(ArchiveRow).scalar_subquery()


def conditions_of(query: ArchiveFilter) -> list[ColumnElement[bool]]:
    """Return the conditions on `ArchiveRow` that a filter means.

    Raises:
        Refused: the label has no `=`.
    """
    plain = {
        "reference": ArchiveRow.reference,
        "process_number": ArchiveRow.process_number,
        "template": ArchiveRow.template_id,
        "source": ArchiveRow.source,
        "state": ArchiveRow.state,
        "cause": ArchiveRow.cause_code,
    }
    conditions = [
        col(column) == getattr(query, name) for name, column in plain.items() if getattr(query, name) is not None
    ]
    if query.transaction_number is not None:
        conditions.append(_has(SessionRow, col(SessionRow.transaction_number) == query.transaction_number))
    if query.session is not None:
        conditions.append(_has(SessionRow, col(SessionRow.id) == query.session))
    for label in query.label:
        key, value = _key_and_value(label)
        conditions.append(_has(LabelRow, col(LabelRow.key) == key, col(LabelRow.value) == value))
    if query.discrepancy is not None:
        conditions.append(_has(DiscrepancyRow, col(DiscrepancyRow.code) == query.discrepancy, _NOT_CLOSED))
    if query.attention is not None:
        conditions.append(_NEEDS_ATTENTION if query.attention else ~_NEEDS_ATTENTION)
    if query.received_after is not None:
        conditions.append(col(ArchiveRow.received_at) > query.received_after)
    if query.received_before is not None:
        conditions.append(col(ArchiveRow.received_at) < query.received_before)
    if query.q:
        conditions.append(_mentions(query.q))
    return conditions


def _has(table: type[SQLModel], *conditions: Any) -> ColumnElement[bool]:
    columns = SQLModel.metadata.tables[str(table.__tablename__)].c
    return exists().where(columns.reference == ArchiveRow.reference, *conditions)


def _mentions(text: str) -> ColumnElement[bool]:
    """Match the text that people search for: numbers and names that they see in Cellosign, labels and file names."""
    return or_(
        col(ArchiveRow.reference).icontains(text, autoescape=True),
        cast(col(ArchiveRow.process_number), String).contains(text, autoescape=True),
        _has(
            SessionRow,
            or_(
                col(SessionRow.id).icontains(text, autoescape=True),
                col(SessionRow.author).icontains(text, autoescape=True),
                col(SessionRow.recipient_name).icontains(text, autoescape=True),
                cast(col(SessionRow.transaction_number), String).contains(text, autoescape=True),
            ),
        ),
        _has(LabelRow, col(LabelRow.value).icontains(text, autoescape=True)),
        _has(FileRow, col(FileRow.filename).icontains(text, autoescape=True)),
    )


def _key_and_value(label: str) -> tuple[str, str]:
    key, equals, value = label.partition("=")
    if not equals:
        raise Refused("BAD_PARAMETER", "expected KEY=VALUE", where="label")
    return key, value


_NEEDS_ATTENTION = or_(
    col(ArchiveRow.state) == State.FAILED,
    _has(WarningRow),
    _SOURCES_DIFFER,
    _has(DiscrepancyRow, col(DiscrepancyRow.state) == DiscrepancyState.OPEN),
    needs_attention(col(ArchiveRow.reference)),
)
