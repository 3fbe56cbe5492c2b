"""Makes the HTML pages of an export: one archive for people to read, without scripts or external resources."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from domain.archive.rows import label_text
from domain.archive.verdict_text import certificate_texts, document_text, field_change_texts, signature_texts
from domain.messages.summaries.summary import size_text
from domain.pages.languages import DIRECTIONS, LANGUAGES, Language, Say, judgement, said
from domain.pages.proof_page import Proof, proof_shown, time_text
from domain.payments.booking import BookedPayment, booked
from domain.payments.sentences import sentence
from domain.secrets.cards import masked
from models.archive.archive import Archive, FormField, Signature
from models.archive.content import Content, StoredContent
from models.archive.session import Session
from models.archive.verdict import Verdict
from models.payments import Discrepancy, PaymentTerms
from models.views.archives.archives import DeliveryView, VersionView

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
class Shown:
    """What a page shows of one version of an archive."""

    archive: Archive
    files: Sequence[ExportedFile]
    discrepancies: Sequence[Discrepancy]
    history: History


@dataclass(frozen=True, slots=True)
class _Section:
    title: str
    header: tuple[str, ...]
    rows: Sequence[_Row]


def page_name(language: Language) -> str:
    return "summary.html" if language == "en" else f"summary.{language}.html"


def summary_page(shown: Shown | None, proof: Proof, terms: PaymentTerms, language: Language = "en") -> str:
    """Return the HTML page of an export in a language. Pure.

    It shows what the API shows, and what the export has proved. Text of the payload is escaped and has its own
    direction, so it does not reorder its surroundings. Details of warnings and discrepancies stay in English.

    Args:
        shown: the version of the archive; None if it is too damaged to be read.
        proof: what the export has proved.
        terms: what the types and results of payments mean.
        language: the language of the page.
    """
    say = said(language)
    return _TEMPLATES.get_template("summary_page.html").render(
        say=say,
        language=language,
        direction=DIRECTIONS[language],
        others={each: page_name(each) for each in LANGUAGES if each != language},
        proof=proof_shown(proof, say),
        **(_archive_shown(shown, terms, say) if shown else {"archive": None}),
    )


def _archive_shown(shown: Shown, terms: PaymentTerms, say: Say) -> dict[str, Any]:
    archive, history = shown.archive, shown.history
    return {
        "archive": archive,
        "version": history.version,
        "sent_at": time_text(archive.event_at),
        "files": [_file(each, say) for each in shown.files],
        "signed_document": _signed_document(archive.signed_document_verdict, say),
        "sessions": [_session(each) for each in archive.sessions],
        "findings": [
            *(_payment_section(archive, terms), _discrepancy_section(shown.discrepancies), _warning_section(archive))
        ],
        "contents": [_signature_section(archive), _field_section(archive, say)],
        "arrivals": [_version_section(history.versions), _delivery_section(history.deliveries, say)],
    }


def _file(file: ExportedFile, say: Say) -> dict[str, str | None]:
    stored = file.content.stored
    return {
        "href": quote(file.path),
        "path": file.path,
        "sent_as": file.content.filename,
        "role": say(file.content.role.replace("_", " ")),
        "element_id": file.content.element_id,
        "media_type": file.content.media_type,
        "looks_like": stored.looks_like if stored else None,
        "infection": _infection(stored, say) if stored else None,
        "size": size_text(stored.size_bytes) if stored else None,
        "sha256": stored.sha256 if stored else None,
    }


def _infection(stored: StoredContent, say: Say) -> str | None:
    return stored.infection if stored.is_scanned else say("not scanned")


def _signed_document(verdict: Verdict | None, say: Say) -> dict[str, Any] | None:
    if verdict is None:
        return None
    about = {name.capitalize(): say(text) for name, text in document_text(verdict).items()}
    changes = [tuple(each.values()) for each in field_change_texts(verdict)]
    sections = [
        _Section("Fields changed after signing", ("field", "before", "after", "not seen by"), changes),
        _judgements("Digital signatures", signature_texts(verdict), say),
        _judgements("Certificates of the digital signatures", certificate_texts(verdict), say),
    ]
    return {"about": about, "sections": sections}


def _judgements(title: str, texts: Sequence[Mapping[str, str | None]], say: Say) -> _Section:
    header = tuple(texts[0]) if texts else ()
    return _Section(title, header, [tuple(_judged(name, text, say) for name, text in each.items()) for each in texts])


def _judged(name: str, text: str | None, say: Say) -> str | None:
    """Return a judgement in the language of the page. Names and times are no judgements."""
    if text is None or name in ("signer", "organization", "signed at"):
        return text
    return judgement(text, say)


def _session(session: Session) -> dict[str, Any]:
    about: Mapping[str, str | None] = {
        "Author": session.author,
        "Process": _number(session.process_number),
        "Transaction": _number(session.transaction_number),
        "Template": session.template_id,
        "Created": time_text(session.created_at),
        "Submitted": time_text(session.submitted_at),
    }
    integrations = [
        (each.type, each.status, time_text(each.executed_at), _text(each.error)) for each in session.integrations
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
    return (signature.id, time_text(signature.signed_at), signature.signer_name, signature.signer_id, labels)


def _field_section(archive: Archive, say: Say) -> _Section:
    header = ("field", "type", "value", "page", "visible", "about it")
    return _Section("Form fields", header, [_field_row(each, say) for each in archive.fields])


def _field_row(field: FormField, say: Say) -> _Row:
    visible = None if field.visible is None else say("yes" if field.visible else "no")
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
    rows = [(str(each.version), time_text(each.received_at), each.receipt_id) for each in versions]
    return _Section("Versions", ("version", "received", "receipt"), rows)


def _delivery_section(deliveries: Sequence[DeliveryView], say: Say) -> _Section:
    rows = [(time_text(each.received_at), say(each.outcome), each.receipt_id) for each in deliveries]
    return _Section("Deliveries", ("received", "outcome", "receipt"), rows)


def _texts(members: Mapping[str, Any]) -> dict[str, str | None]:
    return {key: _text(value) for key, value in members.items()}


def _text(value: Any) -> str | None:
    return None if value is None else label_text(value)


def _number(number: int | None) -> str | None:
    return None if number is None else str(number)
