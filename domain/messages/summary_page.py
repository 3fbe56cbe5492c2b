"""The page of an export that people read: one archive in HTML, without scripts and without anything from elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined

from domain.archive.rows import label_text
from domain.archive.verdict_text import document_text, signature_texts
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


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file of the archive and its path in the export, as seen from the page."""

    path: str
    content: Content


@dataclass(frozen=True, slots=True)
class History:
    """Which version the page shows, and the versions and deliveries that are known of the process."""

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

    It shows what the API shows of it. All text of the payload is escaped, and set in its own direction: what is written
    from right to left turns nothing around it.
    """
    return _PAGE.render(
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
    signatures = signature_texts(verdict)
    header = tuple(signatures[0]) if signatures else ()
    rows = [tuple(each.values()) for each in signatures]
    about = {name.capitalize(): text for name, text in document_text(verdict).items()}
    return {"about": about, "signatures": _Section("Digital signatures", header, rows)}


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


_PAGE = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string("""\
{% macro text(value) %}{% if value %}<bdi>{{ value }}</bdi>{% else %}–{% endif %}{% endmacro %}
{% macro pairs(members) %}
<dl>
{% for name, value in members.items() %}
  <dt>{{ text(name) }}</dt><dd>{{ text(value) }}</dd>
{% endfor %}
</dl>
{% endmacro %}
{% macro table(section) %}
{% if section.rows %}
<table>
<thead><tr>{% for name in section.header %}<th>{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in section.rows %}
<tr>{% for cell in row %}<td>{{ text(cell) }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
{% else %}
<p>None.</p>
{% endif %}
{% endmacro %}
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Archive {{ archive.reference }}, version {{ version }}</title>
<style>
  :root { color-scheme: light dark; --soft: #66707f; --line: #d9dee6 }
  @media (prefers-color-scheme: dark) { :root { --soft: #9aa5b5; --line: #333c49 } }
  body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif }
  h1 { font-size: 1.35rem } h2 { font-size: 1.1rem; margin-top: 2rem } h3 { font-size: 1rem }
  table { border-collapse: collapse; width: 100%; font-size: .9rem }
  th, td { border-block-end: 1px solid var(--line); padding: .3rem .6rem; text-align: start; vertical-align: top }
  td { min-width: 5.5rem }
  th, dt { color: var(--soft); font-weight: normal }
  td, dt, dd { overflow-wrap: anywhere; white-space: pre-wrap }
  dl { display: grid; grid-template-columns: minmax(6rem, 14rem) 1fr; gap: .2rem 1.25rem }
  dd { margin: 0 }
</style>
</head>
<body>
<h1>Archive {{ text(archive.reference) }}, version {{ version }}</h1>
<dl>
  <dt>Process</dt><dd>{{ "–" if archive.process_number is none else archive.process_number }}</dd>
  <dt>Template</dt><dd>{{ text(archive.template_id) }}</dd>
  <dt>Made by Cellosign</dt><dd>{{ text(sent_at) }}</dd>
</dl>
<h2>Files</h2>
{% if files %}
<table>
<thead>
<tr>
<th>file</th><th>sent as</th><th>role</th><th>element</th><th>type</th><th>looks like</th><th>infection</th>
<th>size</th><th>SHA-256</th>
</tr>
</thead>
<tbody>
{% for file in files %}
<tr>
<td><a href="{{ file.href }}">{{ text(file.path) }}</a></td>
<td>{{ text(file.sent_as) }}</td>
<td>{{ file.role }}</td>
<td>{{ text(file.element_id) }}</td>
<td>{{ text(file.media_type) }}</td>
<td>{{ text(file.looks_like) }}</td>
<td>{{ text(file.infection) }}</td>
<td>{{ text(file.size) }}</td>
<td>{{ text(file.sha256) }}</td>
</tr>
{% endfor %}
</tbody>
</table>
{% else %}
<p>None.</p>
{% endif %}
<h2>Signed document</h2>
{% if signed_document %}
{{ pairs(signed_document.about) }}
<h3>{{ signed_document.signatures.title }}</h3>
{{ table(signed_document.signatures) }}
{% else %}
<p>There is none to judge.</p>
{% endif %}
{% for section in findings %}
<h2>{{ section.title }}</h2>
{{ table(section) }}
{% endfor %}
<h2>Sessions</h2>
{% for session in sessions %}
<h3>Session {{ text(session.id) }}</h3>
{{ pairs(session.about) }}
{% for title, members in session.objects if members %}
<h3>{{ title }}</h3>
{{ pairs(members) }}
{% endfor %}
<h3>{{ session.integrations.title }}</h3>
{{ table(session.integrations) }}
{% else %}
<p>None.</p>
{% endfor %}
{% for section in contents + arrivals %}
<h2>{{ section.title }}</h2>
{{ table(section) }}
{% endfor %}
</body>
</html>
""")
