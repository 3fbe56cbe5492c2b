"""Reads an archive, a file of an archive, or the state of a receipt, for people."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import sqlalchemy as sql
from sqlmodel import Session, SQLModel, col, func, select

from adapters.database.transactions import reading
from adapters.peers.prefect_api import run_url
from adapters.search.attention import OF_DELIVERIES
from adapters.settings.settings import settings
from adapters.store import ocfl
from adapters.tables import conditions
from domain.messages.addresses import shown_url
from models.archive.archive import ArchiveRow
from models.archive.content import FileRow
from models.archive.form_field import FormFieldRow
from models.archive.session import IntegrationRow, LabelRow, SessionRow
from models.archive.signature import SignatureRow
from models.archive.signed_document import SignedDocumentRow
from models.archive.warning import WarningCode, WarningRow
from models.messages.notification import NotificationAttemptRow, NotificationRow
from models.payments.ledger import LEDGER
from models.payments.payment import PaymentRow
from models.runs.receipt import DeliveryRow, ReceiptRow, VersionRow
from models.runs.run import RunRow
from models.store.condition import StoredObjectRow
from models.views.archives.archives import (
    ArchiveView,
    CauseView,
    IntegrationView,
    NotificationView,
    RunView,
    SessionView,
    SignatureView,
)
from services.payments import recorded
from services.views import missing_list, refused_list
from services.views.timeline import timeline

Row = TypeVar("Row", bound=SQLModel)
OfSession = TypeVar("OfSession", LabelRow, IntegrationRow)
_DETAILS = {
    WarningCode.SOURCES_DIFFER: "another source than that of the process has sent it; what it sent is set aside until "
    "a person accepts it with `cellar quarantine release`",
    WarningCode.VERSION_FROM_FUTURE: "the event.timestamp of a version is more than a day after its arrival; a version "
    "that arrives later replaces it",
}


def archive(reference: str) -> ArchiveView | None:
    """Return the complete view of an archive; None if the database has no such archive.

    Raises:
        Transient: the database does not answer.
    """
    with reading() as session:
        row = session.get(ArchiveRow, reference)
        if row is None:
            return None
        documents, now = _rows(session, SignedDocumentRow, reference), datetime.now(UTC)
        found = recorded.views(session, reference)
        stored = session.get(StoredObjectRow, ocfl.object_key(reference)) or StoredObjectRow(key="")
        return ArchiveView.model_validate(
            row.model_dump()
            | {
                "cause": CauseView.of(row),
                "conditions": [each.model_dump() for each in conditions.of_archive_within(session, reference)],
                "checked_at": stored.checked_at,
                "anchored_at": stored.anchored_at,
                "versions": _dumped(session, VersionRow, reference, VersionRow.version),
                "deliveries": _dumped(session, DeliveryRow, reference, DeliveryRow.delivery_id),
                "refused": refused_list.of_process(session, reference),
                "missing": missing_list.of_process(session, reference),
                "files": _dumped(session, FileRow, reference),
                "sessions": _sessions(session, reference),
                "signatures": [_signature(each) for each in _rows(session, SignatureRow, reference)],
                "fields": _dumped(session, FormFieldRow, reference),
                "warnings": [*_dumped(session, WarningRow, reference), *_of_deliveries(session, reference)],
                "payments": _payments(session, reference),
                "discrepancies": [each for each in found if each.closed_at is None],
                "closed_discrepancies": [each for each in found if each.closed_at],
                "signed_document_verdict": next((each.verdict for each in documents), None),
                "judgements": next((each.judgements for each in documents), []),
                "notifications": _notifications(session, reference),
                "timeline": timeline(session, reference),
                "runs": [_run(each, now) for each in _rows(session, RunRow, reference, RunRow.started_at)],
            }
        )


def file(reference: str, sha256: str) -> FileRow | None:
    """Return a file of an archive by its digest; None unless the archive has it."""
    with reading() as session:
        return session.exec(select(FileRow).where(FileRow.reference == reference, FileRow.sha256 == sha256)).first()


@dataclass(frozen=True, slots=True)
class PublicState:
    """The state of a receipt and its archive, without personal data."""

    receipt_id: str
    state: str
    received_at: datetime
    completed_at: datetime | None
    versions: int
    digests: list[str]


def public_state(receipt_id: str) -> PublicState | None:
    """Return the state of a receipt and its archive; None before the receipt is registered.

    Raises:
        Transient: the database does not answer.
    """
    with reading() as session:
        receipt = session.get(ReceiptRow, receipt_id)
        if receipt is None:
            return None
        versions = select(func.count()).select_from(VersionRow).where(VersionRow.reference == receipt.reference)
        return PublicState(
            receipt_id=receipt_id,
            state=receipt.state,
            received_at=receipt.received_at,
            completed_at=receipt.completed_at,
            versions=session.exec(versions).one(),
            digests=[each.sha256 for each in _rows(session, FileRow, receipt.reference)],
        )


def _rows(session: Session, table: type[Row], reference: str, order: Any = None) -> Sequence[Row]:
    columns = SQLModel.metadata.tables[str(table.__tablename__)].c
    ordered = select(table).where(columns.reference == reference).order_by(columns.position if order is None else order)
    return session.exec(ordered).all()


def _dumped(session: Session, table: type[SQLModel], reference: str, order: Any = None) -> list[dict[str, Any]]:
    """Return rows as dictionaries. An object for each of 10,000 fields would take most of the time of a view."""
    columns = SQLModel.metadata.tables[str(table.__tablename__)].c
    shown = [each.columns[0] for each in sql.inspect(table).column_attrs if not each.deferred]
    ordered = sql.select(*shown).where(columns.reference == reference)
    ordered = ordered.order_by(columns.position if order is None else order)
    return [dict(each) for each in session.connection().execute(ordered).mappings()]


def _of_deliveries(session: Session, reference: str) -> list[dict[str, str]]:
    """Return the warnings that follow from what has arrived."""
    asked = sql.select(*OF_DELIVERIES.values()).where(col(ArchiveRow.reference) == reference)
    found = zip(OF_DELIVERIES, session.connection().execute(asked).one(), strict=True)
    return [{"code": code, "where": "", "detail": _DETAILS[code]} for code, is_warned in found if is_warned]


def _sessions(session: Session, reference: str) -> list[SessionView]:
    labels = _by_session(_rows(session, LabelRow, reference))
    integrations = _by_session(_rows(session, IntegrationRow, reference))
    return [
        SessionView(
            **row.model_dump(),
            labels={each.key: each.value for each in labels[row.position]},
            integrations=[IntegrationView(**each.model_dump()) for each in integrations[row.position]],
        )
        for row in _rows(session, SessionRow, reference)
    ]


def _by_session(rows: Iterable[OfSession]) -> defaultdict[int, list[OfSession]]:
    grouped: defaultdict[int, list[OfSession]] = defaultdict(list)
    for row in rows:
        grouped[row.session_position].append(row)
    return grouped


def _payments(session: Session, reference: str) -> list[dict[str, Any]]:
    """Return the payments of the payload with their standing in the ledger, since only reports say what is settled."""
    ledger = select(LEDGER.c.position, LEDGER.c.standing).where(LEDGER.c.reference == reference)
    standings = {row.position: row.standing for row in session.connection().execute(ledger)}
    rows = _rows(session, PaymentRow, reference)
    return [row.model_dump() | {"standing": standings[row.position]} for row in rows]


def _signature(row: SignatureRow) -> SignatureView:
    return SignatureView(**row.model_dump(), signed_by={"id": row.signer_id, "name": row.signer_name})


def _notifications(session: Session, reference: str) -> list[NotificationView]:
    attempts = (
        select(func.count())
        .where(NotificationAttemptRow.message_id == NotificationRow.message_id)
        .correlate(NotificationRow)
        .scalar_subquery()
    )
    found = select(NotificationRow, attempts).where(NotificationRow.reference == reference)
    ordered = found.order_by(col(NotificationRow.planned_at), col(NotificationRow.message_id))
    return [
        NotificationView.model_validate(row.model_dump() | {"attempts": count, "endpoint": shown_url(row.endpoint)})
        for row, count in session.exec(ordered)
    ]


def _run(row: RunRow, now: datetime) -> RunView:
    """Return a run. Its link is left out once Prefect has removed the run, so that no link leads nowhere."""
    kept = timedelta(days=settings().prefect_retention_days)
    is_removed = row.ended_at is not None and row.ended_at < now - kept
    return RunView(**row.model_dump(), cause=_cause(row), url=None if is_removed else run_url(row.flow_run_id))


def _cause(row: RunRow) -> CauseView | None:
    if row.cause_code is None or row.cause_error is None or row.cause_sentence is None:
        return None
    return CauseView(
        code=row.cause_code,
        task=row.failed_task,
        error_class=row.cause_error,
        sentence=row.cause_sentence,
        attempt=row.attempt,
        since=row.ended_at or row.started_at,
    )
