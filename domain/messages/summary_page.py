"""Makes the HTML page of an export: one archive for people to read, without scripts or external resources."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from domain.archive.rows import label_text
from domain.archive.verdict_text import certificate_texts, document_text, signature_texts
from domain.messages.summary import size_text
from domain.payments.booking import BookedPayment, booked
from domain.payments.sentences import sentence
from domain.secrets.cards import masked
from models.archive.archive import Archive
from models.archive.content import Content, StoredContent
from models.archive.form_field import FormField
from models.archive.session import Session
from models.archive.signature import Signature
from models.archive.verdict import Verdict
from models.payments.discrepancy import Discrepancy
from models.payments.payment_terms import PaymentTerms
from models.views.archives import DeliveryView, VersionView

_Row = tuple[str | None, ...]
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file of the archive, with its path in the export relative to the page."""

    path: str
    content: Content


@dataclass(frozen=True, slots=True)
class History:
    """The version that the page shows, and all known versions and deliveries of the process."""

    version: int
    versions: Sequence[VersionView]
    deliveries: Sequence[DeliveryView]


@dataclass(frozen=True, slots=True)
class _Section:
    title: str
    header: tuple[str, ...]
    rows: Sequence[_Row]


def summary_page(
    archive: Archive,
    files: Sequence[ExportedFile],
    discrepancies: Sequence[Discrepancy],
    history: History,
    terms: PaymentTerms,
) -> str:
    """Return the HTML page of one version of an archive. Pure.

    It shows what the API shows. Text of the payload is escaped and has its own direction, so right-to-left text does
    not reorder its surroundings.
    """
    return _TEMPLATES.get_template("summary_page.html").render(
        archive=archive,
        version=history.version,
        sent_at=_time(archive.event_at),
        files=[_file(each) for each in files],
        signed_document=_signed_document(archive.signed_document_verdict),
        sessions=[_session(each) for each in archive.sessions],
        findings=[_payment_section(archive, terms), _discrepancy_section(discrepancies), _warning_section(archive)],
        contents=[_signature_section(archive), _field_section(archive)],
        arrivals=[_version_section(history.versions), _delivery_section(history.deliveries)],
    )


def _file(file: ExportedFile) -> dict[str, str | None]:
    stored = file.content.stored
    return {
        "href": quote(file.path),
        "path": file.path,
        "sent_as": file.content.filename,
        "role": file.content.role,
        "element_id": file.content.element_id,
        "media_type": file.content.media_type,
        "looks_like": stored.looks_like if stored else None,
        "infection": _infection(stored) if stored else None,
        "size": size_text(stored.size_bytes) if stored else None,
        "sha256": stored.sha256 if stored else None,
    }


def _infection(stored: StoredContent) -> str | None:
    return stored.infection if stored.is_scanned else "not scanned"


def _signed_document(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    about = {name.capitalize(): text for name, text in document_text(verdict).items()}
    sections = [
        _texts_section("Digital signatures", signature_texts(verdict)),
        _texts_section("Certificates of the digital signatures", certificate_texts(verdict)),
    ]
    return {"about": about, "sections": sections}


def _texts_section(title: str, texts: Sequence[Mapping[str, str | None]]) -> _Section:
    return _Section(title, tuple(texts[0]) if texts else (), [tuple(each.values()) for each in texts])


def _session(session: Session) -> dict[str, Any]:
    about: Mapping[str, str | None] = {
        "Author": session.author,
        "Process": _number(session.process_number),
        "Transaction": _number(session.transaction_number),
        "Template": session.template_id,
        "Created": _time(session.created_at),
        "Submitted": _time(session.submitted_at),
    }
    integrations = [
        (each.type, each.status, _time(each.executed_at), _text(each.error)) for each in session.integrations
    ]
    return {
        "id": session.id,
        "about": about,
        "objects": [
            ("Recipient", _texts(session.recipient)),
            ("Submission", _texts(session.submission_details)),
            ("Labels", _texts(session.labels)),
        ],
        "integrations": _Section("Integrations", ("type", "status", "executed", "error"), integrations),
    }


def _signature_section(archive: Archive) -> _Section:
    rows = [_signature_row(each) for each in archive.signatures]
    return _Section("Signatures", ("signature", "signed", "by", "signer id", "labels"), rows)


def _signature_row(signature: Signature) -> _Row:
    labels = "\n".join(f"{key}: {text}" for key, text in _texts(signature.labels).items())
    return (signature.id, _time(signature.signed_at), signature.signer_name, signature.signer_id, labels)


def _field_section(archive: Archive) -> _Section:
    header = ("field", "type", "value", "page", "visible", "about it")
    return _Section("Form fields", header, [_field_row(each) for each in archive.fields])


def _field_row(field: FormField) -> _Row:
    visible = None if field.visible is None else "yes" if field.visible else "no"
    about = "\n".join(f"{key}: {text}" for key, text in _texts(field.meta).items())
    return (field.id, field.type, _text(field.value), _number(field.page), visible, about)


def _payment_section(archive: Archive, terms: PaymentTerms) -> _Section:
    header = ("transaction", "session", "type", "status", "standing", "amount", "card", "provider's reference")
    return _Section("Payments", header, [_payment_row(each) for each in booked(archive, terms)])


def _payment_row(payment: BookedPayment) -> _Row:
    attempt = payment.attempt
    card = " ".join(part for part in (attempt.card_brand, attempt.card_mask) if part)
    return (
        attempt.transaction_id,
        attempt.session_id,
        masked(attempt.type or ""),
        attempt.status,
        payment.standing,
        payment.amount_text(),
        masked(card),
        attempt.provider_reference,
    )


def _discrepancy_section(discrepancies: Sequence[Discrepancy]) -> _Section:
    rows = [(each.code, each.transaction_id, sentence(each.code, each.expected, each.found)) for each in discrepancies]
    return _Section("Discrepancies", ("code", "transaction", "what it means"), rows)


def _warning_section(archive: Archive) -> _Section:
    rows = [(each.code, each.where, each.detail) for each in archive.warnings]
    return _Section("Warnings", ("code", "where", "detail"), rows)


def _version_section(versions: Sequence[VersionView]) -> _Section:
    rows = [(str(each.version), _time(each.received_at), each.receipt_id) for each in versions]
    return _Section("Versions", ("version", "received", "receipt"), rows)


def _delivery_section(deliveries: Sequence[DeliveryView]) -> _Section:
    rows = [(_time(each.received_at), each.outcome, each.receipt_id) for each in deliveries]
    return _Section("Deliveries", ("received", "outcome", "receipt"), rows)


def _texts(members: Mapping[str, Any]) -> dict[str, str | None]:
    return {key: _text(value) for key, value in members.items()}


def _text(value: Any) -> str | None:
    return None if value is None else label_text(value)


def _number(number: int | None) -> str | None:
    return None if number is None else str(number)


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
