"""The catalogue of tables: which there are, and their columns, which follow from the rows of the database. Pure."""

from collections.abc import Iterator, Mapping

from sqlalchemy import Boolean, Date, Float, FromClause, Integer, LargeBinary, func, select
from sqlmodel import SQLModel

from domain.personal import is_personal
from domain.tables.meanings import meaning_of
from models.archive.archive import ArchiveRow, SignatureRow, WarningRow
from models.archive.content import FileRow, SignedDocumentRow
from models.archive.session import SessionRow
from models.columns import Json, Moment, table_of
from models.discrepancies import DiscrepancyRow
from models.messages.notification import EventRow, NotificationRow
from models.payments import LEDGER
from models.runs.receipt import DeliveryRow, RunRow, VersionRow
from models.settlements.settlement import SettlementEntryRow
from models.tables import Column, ColumnType, TableSource
from models.templates import TemplateRow

_TYPES = (
    (Integer, ColumnType.INTEGER),
    (Boolean, ColumnType.BOOLEAN),
    (Date, ColumnType.DATE),
    (Float, ColumnType.NUMBER),
    (Moment, ColumnType.TIME),
)
_HIDDEN = frozenset(
    {
        *("archives.digest", "discrepancies.subject", "events.body", "messages.claimed_until", "messages.endpoint"),
        *("messages.next_by", "messages.next_trigger", "messages.tried_before"),
    }
)
"""Columns that nobody exports, beside secrets, texts of any length, and what has no columns of its own."""
_PLACES = {
    "_archive": "reference",
    "reference": "reference",
    "event_at": "event.timestamp",
    "process_number": "sessions[].process_number",
    "template_id": "sessions[].template.id",
    "sessions.recipient_id": "sessions[].recipient.id",
    "sessions.recipient_name": "sessions[].recipient.name",
    "sessions.latitude": "sessions[].submission_details.latitude",
    "sessions.longitude": "sessions[].submission_details.longitude",
    "signatures.signer_id": "signatures[].signed_by.id",
    "signatures.signer_name": "signatures[].signed_by.name",
    "payments.amount_minor": "payments[].amount",
    "payments.currency": "payments[].provider_transaction_result.currency",
    "discrepancies.transaction_id": "payments[].transaction_id",
    **{
        f"{table}.{name}": f"{table}[].{name}"
        for table, names in (
            ("sessions", ("id", "author", "process_id", "transaction_number", "created_at", "submitted_at")),
            ("signatures", ("id", "signed_at")),
            ("payments", ("transaction_id", "session_id", "type", "status")),
        )
        for name in names
    },
    "files.element_id": "attachments[].id",
    "files.filename": "signed_document.filename, attachments[].filename",
    "files.media_type": "signed_document.mimetype, attachments[].mimetype",
}
"""Where the values of columns stand in the payload. Cellar itself knows all others."""


def _signatures() -> FromClause:
    its, document = table_of(SignatureRow), table_of(SignedDocumentRow)
    verdict = document.c.outcome.label("document_outcome"), document.c.judged_at.label("document_judged_at")
    columns = [each for each in its.c if each.name != "labels"]
    return (
        select(*columns, *verdict).outerjoin(document, document.c.reference == its.c.reference).subquery("signatures")
    )


def _templates() -> FromClause:
    its, said = table_of(ArchiveRow).c, table_of(TemplateRow)
    at = func.min(its.received_at).label("first_at"), func.max(its.received_at).label("last_at")
    counted = select(its.template_id, func.count().label("archives"), *at).where(its.template_id.is_not(None))
    of = counted.group_by(its.template_id).subquery()
    names = (said.c.words[("name", each)].as_string().label(f"name_{each}") for each in ("en", "he"))
    return select(*of.c, *names).outerjoin(said, said.c.id == of.c.template_id).subquery("templates")


def _rows(row: type[SQLModel]) -> TableSource:
    of = table_of(row)
    return TableSource(of, tuple(each.name for each in of.primary_key))


SOURCES: Mapping[str, TableSource] = {
    "archives": _rows(ArchiveRow),
    "versions": _rows(VersionRow),
    "deliveries": _rows(DeliveryRow),
    "sessions": _rows(SessionRow),
    "signatures": TableSource(_signatures(), ("reference", "position")),
    "files": _rows(FileRow),
    "payments": TableSource(LEDGER, ("reference", "position")),
    "settlements": _rows(SettlementEntryRow),
    "discrepancies": _rows(DiscrepancyRow),
    "warnings": _rows(WarningRow),
    "messages": _rows(NotificationRow),
    "runs": _rows(RunRow),
    "events": _rows(EventRow),
    "templates": TableSource(_templates(), ("template_id",)),
}
"""Where the rows of the tables stand, by the names of the tables."""

LEAD = tuple(
    Column(name, type_, meaning_of("", name), _PLACES.get(name, ""))
    for name, type_ in (
        ("_archive", ColumnType.TEXT),
        ("_version", ColumnType.INTEGER),
        ("_receipt", ColumnType.TEXT),
        ("_received_at", ColumnType.TIME),
        ("_url", ColumnType.TEXT),
    )
)
"""The first columns of each table, by which a row leads back to its archive."""
UNFIT = (
    *LEAD,
    *(Column(name, ColumnType.TEXT, meaning_of("", name)) for name in ("template_id", "column", "place")),
)
"""The columns of `unfit_values`."""
ENTRY = (
    *LEAD,
    *(
        Column(name, type_, meaning_of("dictionary", name))
        for name, type_ in (
            *((each, ColumnType.TEXT) for each in ("table_name", "column_name", "type", "place", "description")),
            *((each, ColumnType.TEXT) for each in ("name_en", "name_he", "zone")),
            ("is_personal", ColumnType.BOOLEAN),
            ("filled", ColumnType.NUMBER),
            ("counted_rows", ColumnType.INTEGER),
            ("first_at", ColumnType.TIME),
            ("last_at", ColumnType.TIME),
        )
    ),
)
"""The columns of `dictionary`."""


def columns_of(table: str) -> tuple[Column, ...]:
    """Return the columns of a table of the catalogue that follow its first columns."""
    return tuple(_columns(table, SOURCES[table]))


def _columns(table: str, source: TableSource) -> Iterator[Column]:
    for each in source.of.c:
        name, whole = each.name, f"{table}.{each.name}"
        is_hidden = whole in _HIDDEN or name.endswith("_fingerprint") or isinstance(each.type, type(Json) | LargeBinary)
        if not is_hidden:
            type_ = next((found for kind, found in _TYPES if isinstance(each.type, kind)), ColumnType.TEXT)
            place = _PLACES.get(whole) or _PLACES.get(name, "")
            yield Column(name, type_, meaning_of(table, name), place, is_personal(table, name), table=table)
