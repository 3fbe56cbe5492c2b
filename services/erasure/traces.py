"""What names an archive: how each table is searched for its rows, and what each folder of store and inbox has of it.

A table or a folder that is in no list is a red test: whatever keeps something of an archive registers here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, func, or_
from sqlmodel import Session, SQLModel, col, select

from adapters.store import ocfl
from models.access import AccessRow, UnsentAccessRow
from models.archive.archive import ArchiveRow, FormFieldRow, SignatureRow, WarningRow
from models.archive.content import FileRow, SignedDocumentRow
from models.archive.session import IntegrationRow, InvitationRow, LabelRow, SessionRow
from models.changes import ChangeRow
from models.completeness.processes import MissingProcessRow, SessionEventRow
from models.discrepancies import DiscrepancyEventRow, DiscrepancyLogRow, DiscrepancyRow
from models.erasures import HoldRow, TombstoneMarkRow, TombstoneRow
from models.messages.notification import EndpointRow, EventRow, NotificationAttemptRow, NotificationRow
from models.payments import PaymentKeyRow, PaymentRow
from models.people import ActionRow, LastUseRow, LetterRow, LoginRow, NoticeRow, SavedViewRow, WrongTokensRow
from models.runs.batch import BatchItemRow, BatchRow
from models.runs.receipt import (
    DeliveryRow,
    Leased,
    LeaseRow,
    ReceiptRow,
    RefusedRow,
    RunRow,
    TaskResultRow,
    Trigger,
    VersionRow,
    WaitingRow,
)
from models.search import DerivedRow, FacetValueRow, SearchEntryRow, SearchFacetRow
from models.settlements.settlement import (
    DamagedReportRow,
    SettlementCandidateRow,
    SettlementEntryRow,
    SettlementReportRow,
)
from models.shapes import ShapeMemberRow, ShapeRow
from models.store.condition import ConditionRow, StoredObjectRow, Subject
from models.store.happened import NotedRow
from models.tables import FormColumnRow
from models.templates import TemplateRow
from services.erasure.spellings import is_in, spellings


@dataclass(frozen=True, slots=True)
class Named:
    """What names an archive. `digest` is what stays of its reference. `flow_run_ids` are those of its runs alone: the
    run of an import has other archives too.
    """

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

    def found(column: Any, *which: ColumnElement[bool]) -> tuple[Any, ...]:
        its = select(column).where(col(column.class_.reference) == reference, *which).distinct()
        return tuple(each for each in session.exec(its) if each is not None)

    shared = found(RunRow.flow_run_id, col(RunRow.trigger) == Trigger.IMPORT)
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
        flow_run_ids=tuple(sorted(runs.difference(shared))),
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
            *(SearchEntryRow, NotificationRow, EventRow, DiscrepancyRow, DiscrepancyLogRow, SettlementCandidateRow),
            *(PaymentRow, PaymentKeyRow, ActionRow, HoldRow, DeliveryRow, RunRow, WaitingRow, VersionRow),
            *(WarningRow, FormFieldRow, SignatureRow, SessionRow, InvitationRow, IntegrationRow, LabelRow),
            *(FileRow, SignedDocumentRow, ShapeRow, ReceiptRow),
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
    LetterRow: ("title", "text"),
    NoticeRow: ("detail",),
    DerivedRow: ("last",),
    ShapeMemberRow: ("path", "parent", "place", "reference"),
}
"""The columns that may name an archive in rows that stay, since they are about several archives."""

_REDACTED = {str(table.__tablename__): columns for table, columns in REDACTED.items() if table is not BatchItemRow}

KEEPS_NOTHING: Mapping[type[SQLModel], str] = {
    AccessRow: "names an archive by the keyed digest of its reference alone, and is never changed",
    UnsentAccessRow: "numbers of rows of the access log",
    TombstoneRow: "what stays of an erased archive",
    TombstoneMarkRow: "keyed digests by which what comes again is known",
    EndpointRow: "settings of a receiver of messages",
    TemplateRow: "what people say about a template, and no value of an archive",
    FormColumnRow: "the name and the type of a field of a template, and no value of an archive",
    SettlementReportRow: "a report as a whole",
    DamagedReportRow: "a report as a whole",
    LoginRow: "a person of the console",
    WrongTokensRow: "a network",
    LastUseRow: "a token or a link, by a name that is no secret",
}
"""Tables that have nothing of an archive, each with the reason."""

FOLDERS: Mapping[str, str] = {
    "archives": "the object of the archive is removed with its versions",
    "keys": "the key of the archive is destroyed first",
    "happened": "lines that name it are replaced by their digests",
    "events": "lines of its session events are replaced by their digests, and its large bodies removed",
    "anchors": "leaves that name it are replaced by their digests",
    "links": "names a receipt whose link a person revoked, by its digest, so that the link stays closed",
    "results": "what the progress of an import says of it is removed",
    "settlements": "reports have fingerprints in place of secrets; findings about no archive that name it are redacted",
    "access-log": "names an archive by the keyed digest of its reference alone",
    "endpoints": "nothing of an archive",
    "sources": "nothing of an archive",
    "templates": "nothing of an archive",
    "tokens": "nothing of an archive",
    "users": "nothing of an archive",
    "spool": "files of killed writers; a sweep removes what is older than a day",
    "inbox/waiting": "its bodies and the records of its deliveries are removed",
    "inbox/quarantine": "its refused bodies and their records are removed",
    "inbox/events": "its session events enter the store within a minute; what is left is known by its tombstone",
}
"""What each folder of store and inbox has of an archive, and what becomes of it."""


def names(table: str, row: Mapping[str, Any], reference: str) -> bool:
    """Return whether a row of a table, as it is noted, is about an archive or names it in what is redacted of it."""
    texts = (value for column in _REDACTED.get(table, ()) if (value := row.get(column)))
    is_about = reference in (row.get("reference"), row.get("subject"))  # subject: of an item
    return is_about or any(is_in(each, reference) for each in texts)


def columns_that_name(texts: Iterable[str], columns: Iterable[Any]) -> ColumnElement[bool]:
    """Return the condition that one of some columns, of text or JSON, has one of some texts."""
    in_text = [func.coalesce(cast(each, String), "") for each in columns]
    return or_(*(each.contains(text, autoescape=True) for each in in_text for text in texts))
