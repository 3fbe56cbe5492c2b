"""Warnings: each code has a case that brings it and near misses that do not."""

import base64
from collections import Counter
from typing import Any

import pytest

from models.archive.warning import WarningCode
from tests.domain.payloads import changed, read
from tests.samples import sample_document

HTML = base64.b64encode(b"<!doctype html><script>").decode()
SESSION: dict[str, Any] = sample_document()["sessions"][0]
FIRES: list[tuple[str, str, Any, str]] = [
    ("ATTACHMENT_EMPTY", "attachments.0.content", "", "attachments[0].content"),
    ("ATTACHMENT_EMPTY", "attachments.0.content", None, "attachments[0].content"),
    ("ATTACHMENT_EMPTY", "attachments.0", {"filename": "a.png"}, "attachments[0].content"),
    ("ATTACHMENT_EMPTY", "signed_document.content", " \n", "signed_document.content"),
    ("INTEGRATION_FAILED", "sessions.0.integrations.0.status", "failed", "sessions[0].integrations[0].status"),
    ("INTEGRATION_FAILED", "sessions.0.integrations.0.status", None, "sessions[0].integrations[0].status"),
    ("MEDIA_TYPE_MISMATCH", "attachments.0.content", HTML, "attachments[0].mimetype"),
    ("MEDIA_TYPE_MISMATCH", "signed_document.content", HTML, "signed_document.mimetype"),
    ("MEDIA_TYPE_MISMATCH", "signed_document.mimetype", "image/png", "signed_document.mimetype"),
    (
        "OTP_NOT_SENT",
        "sessions.0.recipient.otp_destination.status",
        "failed",
        "sessions[0].recipient.otp_destination.status",
    ),
    (
        "OTP_NOT_SENT",
        "sessions.0.recipient.otp_destination.status",
        None,
        "sessions[0].recipient.otp_destination.status",
    ),
    ("SESSION_NOT_SUBMITTED", "sessions.0.submitted_at", None, "sessions[0].submitted_at"),
    ("SESSION_NOT_SUBMITTED", "sessions.0.submitted_at", "", "sessions[0].submitted_at"),
    ("SESSION_REFERENCE_MISMATCH", "sessions.0.reference", "another", "sessions[0].reference"),
    ("SESSION_REFERENCE_MISMATCH", "reference", "another", "sessions[0].reference"),
    ("SIGNER_UNKNOWN", "signatures.0.signed_by.id", "2", "signatures[0].signed_by.id"),
    ("SIGNER_UNKNOWN", "signatures.0.signed_by", None, "signatures[0].signed_by.id"),
    ("SIGNER_UNKNOWN", "sessions", [], "signatures[0].signed_by.id"),
    ("TEXT_REPLACED", "data.0.value", "half \ud83d an emoji", "data[0].value"),
    ("TEXT_REPLACED", "sessions.0.labels", {"k\x00": "v"}, "sessions[0].labels"),
    ("TIMESTAMP_UNREADABLE", "event.timestamp", "yesterday", "event.timestamp"),
    ("TIMESTAMP_UNREADABLE", "sessions.0.submitted_at", "21/12/2022", "sessions[0].submitted_at"),
    ("TIMESTAMP_UNREADABLE", "signatures.0.signed_at", 5, "signatures[0].signed_at"),
    ("WRONG_TYPE", "sessions.0.author", 5, "sessions[0].author"),
    ("WRONG_TYPE", "data.0.page", "one", "data[0].page"),
    ("WRONG_TYPE", "payments", {}, "payments"),
    ("WRONG_TYPE", "data.1", None, "data[1]"),
    ("WRONG_TYPE", "signed_document", "aGVsbG8=", "signed_document"),
]
NEAR_MISSES: list[tuple[str, Any]] = [
    ("attachments.0.content", "iVBORw0KGgo="),
    ("attachments", []),
    ("signed_document", None),
    ("sessions.0.integrations", []),
    ("sessions.0.integrations.0.status", "success"),
    ("sessions.0.recipient.otp_destination", None),
    ("sessions.0.recipient.invitations.0.status", "failed"),  # the invitation, not the one-time password
    ("sessions.0.submitted_at", "2022-12-21"),
    ("sessions.0.reference", None),
    ("sessions.0.process_id", "another"),
    ("signatures.0.signed_by.id", 1),
    ("sessions.0.recipient.id", "1"),
    ("signatures", []),
    ("data.0.value", "a whole 🙂"),
    ("event.timestamp", None),
    ("sessions.0.author", None),
    ("data.0.page", "1"),
    ("payments", None),
]


@pytest.mark.parametrize(("code", "path", "value", "where"), FIRES)
def test_warning_appears_once_and_names_its_place(code: str, path: str, value: Any, where: str) -> None:
    warnings = read(changed(path, value)).warnings

    assert [(each.code, each.where) for each in warnings if each.where == where or each.code == code] == [(code, where)]


@pytest.mark.parametrize(("path", "value"), NEAR_MISSES)
def test_near_miss_brings_no_warning(path: str, value: Any) -> None:
    assert read(changed(path, value)).warnings == ()


def test_every_code_has_a_case() -> None:
    # From text, files, keys and deliveries.
    others = (
        "DUPLICATE_KEY",
        "FILE_",
        "MORE_WARNINGS",
        "SIGNED_DOCUMENT_",
        "SECRETS_LOCKED",
        "SOURCES_DIFFER",
        "VERSION_",
    )
    assert {code for code, *_ in FIRES} == {code for code in WarningCode if not code.startswith(others)}


def test_place_counts_list_entries_that_are_not_objects() -> None:
    document = sample_document()
    failed = SESSION["integrations"][0] | {"status": "failed"}
    document["sessions"] = [None, SESSION | {"submitted_at": "never", "reference": "x", "integrations": [0, failed]}]
    document["signatures"] = ["x", {"signed_by": {"id": "2"}}]

    warnings = read(document).warnings

    assert [(each.code, each.where) for each in warnings] == [
        ("WRONG_TYPE", "sessions[0]"),
        ("TIMESTAMP_UNREADABLE", "sessions[1].submitted_at"),
        ("WRONG_TYPE", "sessions[1].integrations[0]"),
        ("WRONG_TYPE", "signatures[0]"),
        ("SESSION_REFERENCE_MISMATCH", "sessions[1].reference"),
        ("INTEGRATION_FAILED", "sessions[1].integrations[1].status"),
        ("SIGNER_UNKNOWN", "signatures[1].signed_by.id"),
    ]


def test_signer_may_be_the_recipient_of_any_session() -> None:
    document = sample_document()
    document["sessions"].append(SESSION | {"recipient": {"id": 2}})
    document["signatures"].append({"signed_by": {"id": "2"}})

    assert read(document).warnings == ()


def test_unreadable_submission_time_does_not_count_as_never_submitted() -> None:
    warnings = read(changed("sessions.0.submitted_at", "21/12/2022")).warnings

    assert [each.code for each in warnings] == ["TIMESTAMP_UNREADABLE"]


def test_too_many_warnings_of_a_code_end_with_a_warning_that_counts_the_rest() -> None:
    found = read(sample_document() | {"signatures": [{}] * 1000, "data": [3] * 200}).warnings

    counts = Counter(each.code for each in found)
    assert counts == {WarningCode.SIGNER_UNKNOWN: 200, WarningCode.WRONG_TYPE: 200, WarningCode.MORE_WARNINGS: 1}
    assert (found[-1].where, found[-1].values) == ("", {"count": 800, "code": "SIGNER_UNKNOWN"})
