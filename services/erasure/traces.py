"""What names an archive: how each table is searched for its rows, and which columns of rows that stay may name it.

A table that is in no list is a red test: whatever keeps something of an archive registers here. Tables that keep
nothing, and the folders of store and inbox, stand with their reasons in `tests/services/erasure/kept.py`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, func, or_
from sqlmodel import Session, SQLModel, col, select

from adapters.store import ocfl
from models.access import AccessRow
from models.archive.archive import ArchiveRow, FormFieldRow, SignatureRow, WarningRow
from models.archive.content import FileRow, SignedDocumentRow
from models.archive.session import IntegrationRow, InvitationRow, LabelRow, SessionRow
from models.changes import ChangeRow
from models.completeness.processes import MissingProcessRow, SessionEventRow
from models.discrepancies import DiscrepancyEventRow, DiscrepancyRow
from models.erasures import HoldRow
from models.messages.notification import EventRow, NotificationAttemptRow, NotificationRow
from models.payments import PaymentKeyRow, PaymentRow
from models.people import ActionRow, SavedViewRow
from models.runs.batch import BatchItemRow, BatchRow
from models.runs.receipt import (
    DeliveryRow,
    Leased,
    LeaseRow,
    ReceiptRow,
    RefusedRow,
    RunRow,
    TaskResultRow,
    VersionRow,
    WaitingRow,
)
from models.search import DerivedRow, FacetValueRow, SearchEntryRow, SearchFacetRow
from models.settlements.settlement import SettlementCandidateRow, SettlementEntryRow
from models.store.condition import ConditionRow, StoredObjectRow, Subject
from models.store.happened import NotedRow
from services.erasure.spellings import is_in, spellings


@dataclass(frozen=True, slots=True)
class Named:
    """What names an archive. `digest` is what stays of its reference."""

    reference: str
    digest: str
    source: str
    template_id: str | None
    process_numbers: tuple[int, ...]
    transaction_numbers: tuple[int, ...]
    session_ids: tuple[str, ...]
    receipt_ids: tuple[str, ...]
    delivery_ids: tuple[str, ...]
    flow_run_ids: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]
    """The ids of its refused deliveries, each with that of the receipt."""


def named_by(session: Session, archive: ArchiveRow, digest: str) -> Named:
    """Return what names an archive, as far as its rows say."""
    reference = archive.reference

    def found(column: Any) -> tuple[Any, ...]:
        its = select(column).where(col(column.class_.reference) == reference).distinct()
        return tuple(each for each in session.exec(its) if each is not None)

    of_items = select(BatchItemRow.flow_run_id).where(BatchItemRow.subject == reference)
    runs = {*found(RunRow.flow_run_id), *found(DeliveryRow.flow_run_id), *found(WaitingRow.flow_run_id)}
    runs |= {each for each in session.exec(of_items) if each}
    numbers = {*found(SessionRow.process_number), archive.process_number} - {None}
    named = Named(
        reference=reference,
        digest=digest,
        source=archive.source,
        template_id=archive.template_id,
        process_numbers=tuple(sorted(numbers)),
        transaction_numbers=found(SessionRow.transaction_number),
        session_ids=found(SessionRow.id),
        receipt_ids=found(ReceiptRow.receipt_id),
        delivery_ids=found(DeliveryRow.delivery_id),
        flow_run_ids=tuple(sorted(runs)),
        refused=(),
    )
    refused = session.exec(select(RefusedRow.delivery_id, RefusedRow.receipt_id).where(_of_process(RefusedRow)(named)))
    return replace(named, refused=tuple((delivery_id, receipt_id) for delivery_id, receipt_id in refused))


Find = Callable[[Named], ColumnElement[bool]]


def _of_process(row: Any) -> Find:
    """Find what names the process, or names no process and has one of its numbers."""

    def found(named: Named) -> ColumnElement[bool]:
        by_number = [col(row.process_number).in_(named.process_numbers)]
        if row is not RefusedRow:
            by_number.append(col(row.transaction_number).in_(named.transaction_numbers))
            by_number.append(col(row.session_id).in_(named.session_ids))
        of_none = and_(col(row.reference).is_(None), col(row.source) == named.source, or_(*by_number))
        return or_(col(row.reference) == named.reference, of_none)

    return found


def _by_reference(row: Any) -> Find:
    return lambda named: col(row.reference) == named.reference


def _below(column: Any, key: Any) -> Find:
    """Find the rows that belong to rows with the reference."""
    return lambda named: col(column).in_(select(key).where(col(key.class_.reference) == named.reference))


def _values_of_it_alone(named: Named) -> ColumnElement[bool]:
    """Find the values of facets that no other archive has."""
    its = select(SearchEntryRow.id).where(SearchEntryRow.reference == named.reference).scalar_subquery()
    mine = select(SearchFacetRow.facet).where(col(SearchFacetRow.entry_id) == its)
    others = select(SearchFacetRow.entry_id).where(
        col(SearchFacetRow.facet) == col(FacetValueRow.facet), col(SearchFacetRow.entry_id) != its
    )
    return and_(col(FacetValueRow.facet).in_(mine), ~others.exists())


def _noted(named: Named) -> ColumnElement[bool]:
    """Find what waits for the store and may name the archive: `names` decides. The access log has its digest alone."""
    text = cast(col(NotedRow.row), String)
    is_in_text = or_(*(text.contains(each, autoescape=True) for each in spellings(named.reference)))
    return and_(col(NotedRow.of) != str(AccessRow.__tablename__), is_in_text)


REMOVED: Mapping[type[SQLModel], Find] = {
    FacetValueRow: _values_of_it_alone,
    SearchFacetRow: _below(SearchFacetRow.entry_id, SearchEntryRow.id),
    TaskResultRow: lambda named: col(TaskResultRow.flow_run_id).in_(named.flow_run_ids),
    NotificationAttemptRow: _below(NotificationAttemptRow.message_id, NotificationRow.message_id),
    DiscrepancyEventRow: _below(DiscrepancyEventRow.discrepancy_id, DiscrepancyRow.discrepancy_id),
    **{
        each: _by_reference(each)
        for each in (
            *(SearchEntryRow, NotificationRow, EventRow, DiscrepancyRow, SettlementCandidateRow),
            *(PaymentRow, PaymentKeyRow, ActionRow, HoldRow, DeliveryRow, RunRow, WaitingRow, VersionRow),
            *(WarningRow, FormFieldRow, SignatureRow, SessionRow, InvitationRow, IntegrationRow, LabelRow),
            *(FileRow, SignedDocumentRow, ReceiptRow),
        )
    },
    SessionEventRow: _of_process(SessionEventRow),
    RefusedRow: _of_process(RefusedRow),
    MissingProcessRow: _of_process(MissingProcessRow),
    ConditionRow: lambda named: and_(
        col(ConditionRow.kind) == Subject.ARCHIVE, col(ConditionRow.subject) == named.reference
    ),
    StoredObjectRow: lambda named: col(StoredObjectRow.key) == ocfl.object_key(named.reference),
    LeaseRow: lambda named: and_(col(LeaseRow.kind) == Leased.PROCESS, col(LeaseRow.subject) == named.reference),
    NotedRow: _noted,
    ChangeRow: _by_reference(ChangeRow),  # after what it is about: rows that go are changes too
    ArchiveRow: _by_reference(ArchiveRow),  # last: by its digest, a driver that goes on finds the reference
}
"""How the rows of an archive are found, in the order in which they are removed."""

REDACTED: Mapping[type[SQLModel], tuple[str, ...]] = {
    BatchRow: ("filter",),
    BatchItemRow: ("subject",),
    SavedViewRow: ("query",),
    EventRow: ("body",),
    DiscrepancyRow: ("expected", "found", "values"),
    SettlementEntryRow: ("reference", "payment_id"),
    ConditionRow: ("values",),
    DerivedRow: ("last",),
}
"""The columns that may name an archive in rows that stay, since they are about several archives."""

_REDACTED = {str(table.__tablename__): columns for table, columns in REDACTED.items() if table is not BatchItemRow}


def names(table: str, row: Mapping[str, Any], reference: str) -> bool:
    """Return whether a row of a table, as it is noted, is about an archive or names it in what is redacted of it."""
    texts = (value for column in _REDACTED.get(table, ()) if (value := row.get(column)))
    is_about = reference in (row.get("reference"), row.get("subject"))  # subject: of an item
    return is_about or any(is_in(each, reference) for each in texts)


def columns_that_name(texts: Iterable[str], columns: Iterable[Any]) -> ColumnElement[bool]:
    """Return the condition that one of some columns, of text or JSON, has one of some texts."""
    in_text = [func.coalesce(cast(each, String), "") for each in columns]
    return or_(*(each.contains(text, autoescape=True) for each in in_text for text in texts))
