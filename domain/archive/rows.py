"""Turns an archive into rows of the database."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from sqlmodel import SQLModel

from domain.payments.booking import BookedPayment, booked, shown
from domain.payments.identity import discrepancy_id, payment_id, plain_authorisation
from models.archive.archive import Archive, FormFieldRow, SignatureRow, WarningRow
from models.archive.content import FileRow, SignedDocumentRow
from models.archive.session import IntegrationRow, InvitationRow, LabelRow, SessionRow
from models.archive.verdict import Judgement, verdict_as_json
from models.discrepancies import Discrepancy, DiscrepancyRow, DiscrepancyState
from models.payments import PaymentKeyRow, PaymentRow, PaymentTerms

Rows = Mapping[type[SQLModel], Sequence[Mapping[str, Any]]]


def rows_of(archive: Archive, terms: PaymentTerms, fingerprint: Callable[[str], str]) -> Rows:
    """Return the rows of an archive by table, each keyed by reference and position. Pure.

    Args:
        fingerprint: returns a keyed fingerprint of a secret that is only compared for equality.
    """
    payments = booked(archive, terms)
    labels = [[{"key": key, "value": label_text(its)} for key, its in each.labels.items()] for each in archive.sessions]
    return {
        SessionRow: _rows(archive, SessionRow, archive.sessions),
        InvitationRow: _session_rows(archive, InvitationRow, [each.invitations for each in archive.sessions]),
        IntegrationRow: _session_rows(archive, IntegrationRow, [each.integrations for each in archive.sessions]),
        LabelRow: _session_rows(archive, LabelRow, labels),
        SignatureRow: _rows(archive, SignatureRow, archive.signatures),
        FormFieldRow: _rows(archive, FormFieldRow, archive.fields),
        FileRow: _file_rows(archive),
        PaymentRow: _payment_rows(archive, payments, fingerprint),
        PaymentKeyRow: _payment_key_rows(archive, payments, fingerprint),
        **judged_rows(archive),
    }


def judged_rows(archive: Archive) -> Rows:
    """Return the rows that follow from the verdicts on the signed document, with all warnings of the archive. Pure."""
    return {SignedDocumentRow: _signed_document_rows(archive), WarningRow: _rows(archive, WarningRow, archive.warnings)}


def _signed_document_rows(archive: Archive) -> list[dict[str, Any]]:
    verdict, last = archive.signed_document_verdict, archive.newest_verdict
    if verdict is None or last is None:
        return []
    shown = {
        "outcome": str(last.outcome),
        "verdict": verdict_as_json(verdict),
        "roots": archive.newest_roots,
        "judged_at": archive.judgements[-1].at if archive.judgements else None,
        "judgements": [_judgement(each, archive.judgements[-1]) for each in archive.judgements],
    }
    return [{"reference": archive.reference, "position": 0} | shown]


def _judgement(each: Judgement, last: Judgement) -> dict[str, Any]:
    return {
        "number": each.number,
        "at": each.at.isoformat(),
        "outcome": str(each.verdict.outcome),
        "trusted": each.verdict.trusted,
        "roots": each.roots,
        "cellar": each.cellar,
        "pyhanko": each.pyhanko,
        "is_newest": each is last,
        "verdict": verdict_as_json(each.verdict),
    }


def discrepancy_rows(reference: str | None, discrepancies: Sequence[Discrepancy]) -> Rows:
    return {
        DiscrepancyRow: [
            {"discrepancy_id": discrepancy_id(reference, each), "reference": reference, "state": DiscrepancyState.OPEN}
            | _columns(DiscrepancyRow, each)
            for each in discrepancies
        ]
    }


def _rows(archive: Archive, table: type[SQLModel], nouns: Iterable[Any]) -> list[dict[str, Any]]:
    # The archive's reference overrides a session's own `reference`, which may differ (a warning reports that).
    return [
        _columns(table, noun) | {"reference": archive.reference, "position": position}
        for position, noun in enumerate(nouns)
    ]


def _session_rows(archive: Archive, table: type[SQLModel], by_session: Sequence[Iterable[Any]]) -> list[dict[str, Any]]:
    return [
        row | {"session_position": session_position}
        for session_position, nouns in enumerate(by_session)
        for row in _rows(archive, table, nouns)
    ]


def _file_rows(archive: Archive) -> list[dict[str, Any]]:
    """Return the rows of the stored files. A file that arrived without content has a warning and no row."""
    stored = [content for content in archive.contents if content.stored]
    rows = _rows(archive, FileRow, stored)
    return [row | _columns(FileRow, content.stored) for row, content in zip(rows, stored, strict=True)]


def _payment_rows(
    archive: Archive, payments: Iterable[BookedPayment], fingerprint: Callable[[str], str]
) -> list[dict[str, Any]]:
    return [
        _keys(archive, position, each, fingerprint) | shown(each).model_dump() for position, each in enumerate(payments)
    ]


def _payment_key_rows(
    archive: Archive, payments: Iterable[BookedPayment], fingerprint: Callable[[str], str]
) -> list[dict[str, Any]]:
    """Return rows for attempts that do not decide but that an entry of a settlement report may match."""
    others = (
        other for payment in payments for other in payment.others if other.attempt.cguid or other.attempt.authorisation
    )
    return [
        _keys(archive, position, each, fingerprint) | _columns(PaymentKeyRow, shown(each).model_dump())
        for position, each in enumerate(others)
    ]


def _keys(archive: Archive, position: int, payment: BookedPayment, fingerprint: Callable[[str], str]) -> dict[str, Any]:
    """Return what names a payment, and the fingerprints by which entries of settlement reports are matched."""
    cguid, authorisation = payment.attempt.cguid, payment.attempt.authorisation
    return {
        "reference": archive.reference,
        "position": position,
        "payment_id": payment_id(archive.reference, payment.attempt.transaction_id, payment.name),
        "cguid_fingerprint": None if cguid is None else fingerprint(cguid),
        "authorisation_fingerprint": None if authorisation is None else fingerprint(plain_authorisation(authorisation)),
    }


def label_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _columns(table: type[SQLModel], noun: Any) -> dict[str, Any]:
    """Return the members of a noun for which its table has columns."""
    if is_dataclass(noun):
        return {name: getattr(noun, name) for name in _shared(table, noun.__class__)}
    return {name: value for name, value in noun.items() if name in table.model_fields}


@cache  # an archive may have 10,000 files, and each look at the fields of a model takes a microsecond
def _shared(table: type[SQLModel], noun: type[Any]) -> tuple[str, ...]:
    return tuple(each.name for each in fields(noun) if each.name in table.model_fields)
