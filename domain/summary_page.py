"""Makes the HTML pages of an export: one archive for people to read, without scripts or external resources."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from gettext import NullTranslations
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from domain.anchors import anchor_root
from domain.archive.rows import label_text
from domain.archive.verdict_text import (
    Judgements,
    certificate_texts,
    covered_word_texts,
    document_text,
    field_change_texts,
    headline,
    signature_texts,
)
from domain.messages.summaries import size_text
from domain.payments.booking import BookedPayment, booked
from domain.secrets.cards import masked
from domain.titles import title_text
from domain.words.catalogue import warned, word
from domain.words.wording import DIRECTIONS, ENGLISH, LANGUAGES, N_, Language
from models.archive.archive import Archive, FormField, Signature
from models.archive.content import Content
from models.archive.session import Session
from models.archive.verdict import Outcome, Verdict
from models.discrepancies import Discrepancy
from models.payments import PaymentTerms
from models.said import Said, said_by, verbatim
from models.store.anchor import AnchorProof
from models.store.condition import OF_FAULTS
from models.store.fixity import FixityFinding
from models.templates import Names, TemplateWords
from models.views.archives.archives import DeliveryView, VersionView
from models.views.person import PersonPackage

_Row = tuple[str | None, ...]
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


@dataclass(frozen=True, slots=True)
class Proof:
    """What an export has proved, and when. `holder`: the institution that holds the archive, or an empty text.
    `arrived_at`: when the request arrived. `is_in_clear`: the parts in the bag rebuild the request. `is_locked`: the
    request has sealed values whose key is missing, so that nothing rebuilds it. `findings`: what speaks against the
    archive. `witness`: where a witness has the anchor, if the store was compared with it, at `compared_at`.
    """

    at: datetime
    holder: str
    receipt_id: str
    arrived_at: datetime
    is_in_clear: bool
    is_locked: bool
    findings: Sequence[FixityFinding]
    anchored: AnchorProof | None
    witness: str = ""
    compared_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file of the archive, with its path in the export relative to the page."""

    path: str
    content: Content


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page shows of one version of an archive, and all known versions and deliveries of its process. `template`
    is what its template is called, `words` is what people say about it.
    """

    archive: Archive
    files: Sequence[ExportedFile]
    discrepancies: Sequence[Discrepancy]
    version: int
    versions: Sequence[VersionView]
    deliveries: Sequence[DeliveryView]
    template: Names = field(default_factory=Names)
    words: TemplateWords = field(default_factory=TemplateWords)


def page_name(language: Language, page: str = "summary") -> str:
    return f"{page}.html" if language == "en" else f"{page}.{language}.html"


def summary_page(
    shown: Shown | None, proof: Proof, terms: PaymentTerms, language: Language = "en", texts: NullTranslations = ENGLISH
) -> str:
    """Return the HTML page of an export in a language. Pure.

    It shows what the API shows, and what the export has proved. Text of the payload is escaped and has its own
    direction, so it does not reorder its surroundings.

    Args:
        shown: the version of the archive; None if it is too damaged to be read.
        proof: what the export has proved.
        terms: what the types and results of payments mean.
        language: the language of the page.
        texts: the texts of that language.
    """
    statement = proof.anchored.inclusion.statement if proof.anchored else None
    faults = [(_worded(OF_FAULTS[each.fault], texts), each.key) for each in proof.findings]
    return _rendered(
        "summary",
        language,
        texts,
        size_text=size_text,
        members=_texts,
        proof=proof,
        faults=faults,
        statement=statement,
        root=anchor_root(statement) if statement else None,
        **(_archive_shown(shown, terms, language, texts) if shown else {"archive": None, "signed_document": None}),
    )


def person_page(made: PersonPackage, language: Language = "en", texts: NullTranslations = ENGLISH) -> str:
    """Return the page of a package that says what is kept of a person. Pure. Otherwise as `summary_page`."""
    return _rendered(
        "index",
        language,
        texts,
        title_of=lambda archive: title_text(archive.title, language, texts),
        summary=page_name(language),
        made=made,
        archives=[each for each in made.items if each.archive],
        beside=[each for each in made.items if not each.archive],
    )


def _rendered(page: str, language: Language, texts: NullTranslations, **shown: Any) -> str:
    return _TEMPLATES.get_template(f"{page}_page.html").render(
        _=texts.gettext,
        worded=lambda code: _worded(code, texts),
        time_text=time_text,
        at=lambda moment: f"\u2068{time_text(moment)}\u2069",
        quote=quote,
        language=language,
        direction=DIRECTIONS[language],
        others={each: page_name(each, page) for each in LANGUAGES if each != language},
        **shown,
    )


def _worded(code: str, texts: NullTranslations) -> str:
    return word(Said(code), texts)


def _archive_shown(shown: Shown, terms: PaymentTerms, language: Language, texts: NullTranslations) -> dict[str, Any]:
    archive = shown.archive
    names = {part: each.name.worded(language) for part, each in shown.words.parts.items()}
    last = archive.judgements[-1] if archive.judgements else None
    verdict, judged_at = (last.verdict, last.at) if last else (archive.signed_document_verdict, None)
    return {
        "archive": archive,
        "template": shown.template.worded(language),
        "version": shown.version,
        "files": shown.files,
        "signed_document": _signed_document(archive, verdict, judged_at, texts),
        "parties": _each_once(each.recipient_name for each in archive.sessions),
        "paid": _each_once(
            f"{each.amount_text(texts)} {_worded(each.standing, texts)}" for each in booked(archive, terms)
        ),
        "sessions": [(each, _integration_rows(each)) for each in archive.sessions],
        "payments": [_payment_row(each, texts) for each in booked(archive, terms)],
        "discrepancies": [
            (each.transaction_id, *(word(what, texts) for what in (warned(each.code, {}), *_compared(each))))
            for each in shown.discrepancies
        ],
        "warnings": [(each.where, word(warned(each.code, each.values), texts)) for each in archive.warnings],
        "signatures": [_signature_row(each) for each in archive.signatures],
        "fields": [_field_row(each, names, texts) for each in archive.fields],
        "versions": [(str(each.version), time_text(each.received_at), each.receipt_id) for each in shown.versions],
        "deliveries": [
            (time_text(each.received_at), _worded(each.outcome, texts), each.receipt_id) for each in shown.deliveries
        ],
    }


def _compared(found: Discrepancy) -> tuple[Said, Said]:
    """Return what was expected, and what was found."""
    expected, got = (said_by(found.values, name) for name in ("expected", "found"))
    return expected or verbatim(found.expected), got or verbatim(found.found)


def _each_once(found: Iterable[str | None]) -> str:
    return ", ".join(dict.fromkeys(filter(None, found)))


_TONES: Mapping[str, str] = {
    Outcome.SOUND: "whole",
    Outcome.CHANGED: "damaged",
    Outcome.BROKEN: "damaged",
    Outcome.UNSIGNED: "",
}


def _signed_document(
    archive: Archive, verdict: Verdict | None, judged_at: datetime | None, texts: NullTranslations
) -> dict[str, Any] | None:
    if verdict is None:
        return None
    about = document_text(verdict, (each.signer_name for each in archive.signatures))
    return {
        "tone": _TONES.get(headline(verdict), "locked"),
        "judged_at": time_text(judged_at),
        "about": {name: word(each, texts) if each else None for name, each in about.items()},
        "changes": [tuple(each.values()) for each in field_change_texts(verdict)],
        "covered": [
            tuple(text or texts.gettext(N_("an image")) for text in each.values())
            for each in covered_word_texts(verdict)
        ],
        "signatures": _judgements(signature_texts(verdict), texts),
        "certificates": _judgements(certificate_texts(verdict), texts),
    }


def _judgements(found: Sequence[Judgements], texts: NullTranslations) -> tuple[list[str], list[list[str | None]]]:
    """Return the header and the rows of judgements."""
    rows = [[word(each, texts) if each else None for each in row.values()] for row in found]
    return [texts.gettext(name) for name in found[0]] if found else [], rows


def _integration_rows(session: Session) -> list[_Row]:
    return [(each.type, each.status, time_text(each.executed_at), _text(each.error)) for each in session.integrations]


def _signature_row(signature: Signature) -> _Row:
    labels = _lines(signature.labels)
    return (signature.id, time_text(signature.signed_at), signature.signer_name, signature.signer_id, labels)


def _field_row(its: FormField, names: Mapping[str, str | None], texts: NullTranslations) -> _Row:
    name = names.get(f"field:{its.id}")
    visible = None if its.visible is None else texts.gettext(N_("yes") if its.visible else N_("no"))
    page = None if its.page is None else str(its.page)
    return (f"{name} ({its.id})" if name else its.id, its.type, _text(its.value), page, visible, _lines(its.meta))


def _payment_row(payment: BookedPayment, texts: NullTranslations) -> _Row:
    attempt = payment.attempt
    card = " ".join(part for part in (attempt.card_brand, attempt.card_mask) if part)
    return (
        attempt.transaction_id,
        attempt.session_id,
        masked(attempt.type or ""),
        attempt.status,
        _worded(payment.standing, texts),
        payment.amount_text(texts),
        masked(card),
        attempt.provider_reference,
    )


def _lines(members: Mapping[str, Any]) -> str:
    return "\n".join(f"{key}: {text}" for key, text in _texts(members).items())


def _texts(members: Mapping[str, Any]) -> dict[str, str | None]:
    return {key: _text(value) for key, value in members.items()}


def _text(value: Any) -> str | None:
    return None if value is None else label_text(value)


def time_text(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
