"""The twenty scenarios: each makes the body of a request, and the expectation of its outcome.

Expectations are written by hand here and never computed from the body.
"""

import json
from collections.abc import Callable

from cli.simulation.payloads import base64_spellings, documents, forms, signed_documents
from cli.simulation.payloads.documents import Document
from cli.simulation.payloads.expectations import REFUSED, Expectation, completed
from cli.simulation.payloads.identifiers import uuid4_text
from cli.simulation.payloads.people import people
from cli.simulation.payloads.processes import Case, Json, attach, field, pay, process

Scenario = Callable[[Case], tuple[bytes, Expectation]]


def lease_he(case: Case) -> tuple[bytes, Expectation]:
    """A Hebrew lease, with Hebrew file names in plain UTF-8 and a card that is only verified."""
    archive = process(case, forms.LEASE_HE, people(case.rng, "he", 1), amount="5,400.00")
    attach(archive, "ID_CARD", documents.jpeg_scan(case.rng, "צילום תעודת זהות.jpg", columns=80, rows=50))
    attach(archive, "PAYSLIP", documents.plain_text("תלוש שכר – ספטמבר.txt", ["תלוש שכר", "ברוטו: 14,200 ₪"]))
    pay(archive, case, "verify_credit_card", 540_000)
    return _utf8(archive), completed(files=3, standings=("verified",))


def lease_en(case: Case) -> tuple[bytes, Expectation]:
    """An English lease with a deposit that is held. The attachment's content is a data URI."""
    archive = process(case, forms.LEASE_EN, people(case.rng, "en", 1), amount="1,850.00")
    picture = documents.png_photo(case.rng, "front door.png", width=160, height=120)
    attach(archive, "PICTURE", picture)
    archive["attachments"][0]["content"] = base64_spellings.data_uri(picture.content, picture.media_type)
    pay(archive, case, "hold", 185_000, currency="EUR")
    return _ascii(archive), completed(files=2, standings=("held",))


def loan(case: Case) -> tuple[bytes, Expectation]:
    """A workflow of two sessions: the borrower signs, then the guarantor. No payment."""
    archive = process(case, forms.LOAN_HE, people(case.rng, "he", 2), amount="60,000.00")
    attach(archive, "GUARANTEE", Document("ערבות.pdf", "application/pdf", _guarantee_pdf()))
    return _utf8(archive), completed(files=2)


def account_opening(case: Case) -> tuple[bytes, Expectation]:
    """Three sessions, five attachments of different types with line-wrapped base64, and unknown elements."""
    archive = process(case, forms.ACCOUNT_OPENING, people(case.rng, "en", 3))
    for number, document in enumerate(_bank_documents(case), start=1):
        attach(archive, f"UPLOAD_{number}", document)
        archive["attachments"][-1]["content"] = base64_spellings.line_wrapped(document.content)
    archive["workspace"] = {"id": uuid4_text(case.rng), "plan": None}
    archive["sessions"][0]["channel"] = "whatsapp"
    return _ascii(archive), completed(files=6)


def donation(case: Case) -> tuple[bytes, Expectation]:
    r"""A charge in dollars. Every `/` of the body is written `\/`, as some JSON writers do."""
    archive = process(case, forms.DONATION, people(case.rng, "en", 1), amount="180.00")
    attach(archive, "DEDICATION", documents.word_document("dedication.docx", ["In memory of <Grandma> & Grandpa"]))
    pay(archive, case, "charge", 18_000, currency="USD")
    return _utf8(archive).replace(b"/", rb"\/"), completed(files=2, standings=("charged",))


def parking_permit(case: Case) -> tuple[bytes, Expectation]:
    """A charge that fails, then succeeds: two attempts of one transaction. The attachment's base64 is url-safe."""
    archive = process(case, forms.PARKING_PERMIT_HE, people(case.rng, "he", 1))
    licence = documents.jpeg_scan(case.rng, "רישיון רכב.jpg", columns=60, rows=40)
    attach(archive, "CAR_LICENCE", licence)
    archive["attachments"][0]["content"] = base64_spellings.url_safe_unpadded(licence.content)
    pay(archive, case, "charge", 12_500, succeeds=False)
    pay(archive, case, "charge", 12_500)
    return _ascii(archive), completed(files=2, standings=("charged",))


def large_attachment(case: Case) -> tuple[bytes, Expectation]:
    """A picture of about 4 MB, and a card that the card company refuses."""
    archive = process(case, forms.LEASE_HE, people(case.rng, "he", 1), amount="4,100.00")
    attach(archive, "FLOOR_PLAN", documents.png_photo(case.rng, "תכנית דירה.png", width=1360, height=1400))
    pay(archive, case, "verify_credit_card", 410_000, succeeds=False)
    return _ascii(archive), completed(files=2, standings=("failed",))


def charge_amount_mismatch(case: Case) -> tuple[bytes, Expectation]:
    """The provider charged 50 agorot less than the form says."""
    archive = process(case, forms.PARKING_PERMIT_HE, people(case.rng, "he", 1))
    pay(archive, case, "charge", 12_500, provider_total=12_450)
    return _utf8(archive), _completed_with("AMOUNT_MISMATCH", standings=("charged",))


def charge_unit_mismatch(case: Case) -> tuple[bytes, Expectation]:
    """The amount is in dollars, the provider's total in cents."""
    archive = process(case, forms.DONATION, people(case.rng, "en", 1), amount="360.00")
    pay(archive, case, "charge", 360, currency="USD", provider_total=36_000)
    return _ascii(archive), _completed_with("UNIT_MISMATCH", standings=("charged",))


def field_without_payment(case: Case) -> tuple[bytes, Expectation]:
    """The form's payment element points to a transaction that is not in the archive."""
    archive = process(case, forms.DONATION, people(case.rng, "en", 1), amount="72.00")
    return _ascii(archive), _completed_with("FIELD_WITHOUT_PAYMENT")


def stray_payments(case: Case) -> tuple[bytes, Expectation]:
    """Two payments: the session of the first is not in the archive; no element of the form points to the second."""
    archive = process(case, forms.LEASE_EN, people(case.rng, "en", 1), amount="900.00")
    pay(archive, case, "charge", 90_000, session_id="nowhere000")
    pay(archive, case, "charge", 4_500, transaction_id=uuid4_text(case.rng))
    expected = _completed_with("UNKNOWN_SESSION", "PAYMENT_WITHOUT_FIELD", standings=("charged", "charged"))
    return _utf8(archive), expected


def integration_failed(case: Case) -> tuple[bytes, Expectation]:
    """The customer's own system was down, and so was the sender of one-time passwords."""
    archive = process(case, forms.ACCOUNT_OPENING, people(case.rng, "en", 1))
    archive["sessions"][0]["integrations"][1] |= {"status": "error", "error": "HTTP 503 from crm.example.com"}
    archive["sessions"][0]["recipient"]["otp_destination"]["status"] = "failed"
    warnings = frozenset({"INTEGRATION_FAILED", "OTP_NOT_SENT"})
    return _ascii(archive), completed(files=1, warnings=warnings)


def session_unsubmitted(case: Case) -> tuple[bytes, Expectation]:
    """An inconsistent workflow: its second session was never submitted and is of another process.

    In addition, a person who was not invited has signed.
    """
    archive = process(case, forms.LOAN_HE, people(case.rng, "he", 2), amount="25,000.00")
    archive["sessions"][1] |= {"reference": uuid4_text(case.rng), "submitted_at": None}
    archive["signatures"][1]["signed_by"] = {"id": "77", "name": "לא ידוע"}
    warnings = frozenset({"SESSION_NOT_SUBMITTED", "SESSION_REFERENCE_MISMATCH", "SIGNER_UNKNOWN"})
    return _utf8(archive), completed(files=1, warnings=warnings)


def emoji_cut_in_two(case: Case) -> tuple[bytes, Expectation]:
    """A text that ends in half an emoji, as a form in JavaScript can cut it, and a text with a NUL."""
    archive = process(case, forms.LOAN_HE, people(case.rng, "he", 1), amount="8,000.00")
    field(archive, "REMARKS")["value"] = "תודה רבה לכולם! \ud83d"
    field(archive, "BORROWER_PHONE")["value"] = "+12025550100\0"
    return _ascii(archive), completed(files=1, warnings=frozenset({"TEXT_REPLACED"}))


def attachment_empty(case: Case) -> tuple[bytes, Expectation]:
    """An empty file beside a good file."""
    archive = process(case, forms.ACCOUNT_OPENING, people(case.rng, "en", 1))
    attach(archive, "UPLOAD_1", Document("passport.jpg", "image/jpeg", b""))
    attach(archive, "UPLOAD_2", documents.jpeg_scan(case.rng, "passport (2).jpg", columns=40, rows=30))
    return _ascii(archive), completed(files=3, warnings=frozenset({"ATTACHMENT_EMPTY"}))


def odd_values(case: Case) -> tuple[bytes, Expectation]:
    """A time that cannot be read, and text in place of numbers."""
    archive = process(case, forms.LEASE_HE, people(case.rng, "he", 1), amount="6,200.00")
    archive["sessions"][0] |= {"created_at": "31/02/2026 25:61", "process_number": "one hundred"}
    field(archive, "PETS")["page"] = "cover"
    pay(archive, case, "verify_credit_card", 620_000)
    warnings = frozenset({"TIMESTAMP_UNREADABLE", "WRONG_TYPE"})
    return _utf8(archive), completed(files=1, warnings=warnings, standings=("verified",))


def truncated(case: Case) -> tuple[bytes, Expectation]:
    """The body ends in the middle of the signed document."""
    body = _utf8(process(case, forms.DONATION, people(case.rng, "en", 1)))
    return body[: len(body) * 2 // 3], REFUSED


def event_type_wrong(case: Case) -> tuple[bytes, Expectation]:
    """An event that expects an answer while the form is open, which cellar cannot give."""
    archive = process(case, forms.DONATION, people(case.rng, "en", 1))
    archive["event"]["type"] = "WHEF_FORM_FIELD_CHANGED"
    return _ascii(archive), REFUSED


def sessions_missing(case: Case) -> tuple[bytes, Expectation]:
    archive = process(case, forms.ACCOUNT_OPENING, people(case.rng, "en", 1))
    del archive["sessions"]
    return _ascii(archive), REFUSED


def content_not_base64(case: Case) -> tuple[bytes, Expectation]:
    """The content of an attachment is plain text instead of base64."""
    archive = process(case, forms.LEASE_EN, people(case.rng, "en", 1), amount="700.00")
    attach(archive, "NOTE", documents.plain_text("note.txt", ["The keys are with the neighbours."]))
    archive["attachments"][0]["content"] = "The keys are with the neighbours, 2nd floor (door #4)!"
    return _ascii(archive), REFUSED


# In the order of sending. Good, faulty and refused archives are mixed, so that a small demonstration shows each kind.
SCENARIOS: dict[str, Scenario] = {
    "lease-he": lease_he,
    "lease-en": lease_en,
    "charge-amount-mismatch": charge_amount_mismatch,
    "loan": loan,
    "truncated": truncated,
    "account-opening": account_opening,
    "donation": donation,
    "field-without-payment": field_without_payment,
    "parking-permit": parking_permit,
    "content-not-base64": content_not_base64,
    "integration-failed": integration_failed,
    "large-attachment": large_attachment,
    "emoji-cut-in-two": emoji_cut_in_two,
    "stray-payments": stray_payments,
    "event-type-wrong": event_type_wrong,
    "attachment-empty": attachment_empty,
    "session-unsubmitted": session_unsubmitted,
    "charge-unit-mismatch": charge_unit_mismatch,
    "sessions-missing": sessions_missing,
    "odd-values": odd_values,
}


def _completed_with(*discrepancies: str, standings: tuple[str, ...] = ()) -> Expectation:
    return completed(files=1, discrepancies=frozenset(discrepancies), standings=standings)


def _guarantee_pdf() -> bytes:
    return signed_documents.pdf("Guarantee", [["The guarantor answers for the whole of the loan."]])


def _bank_documents(case: Case) -> list[Document]:
    statement = documents.csv_table(
        "statement.csv",
        [["date", "text", "amount"], ["2026-09-01", 'Salary, "September"', 14_200], ["2026-09-03", "שכר דירה", -5_400]],
    )
    return [
        documents.png_photo(case.rng, "selfie.png", width=320, height=240),
        documents.jpeg_scan(case.rng, "passport.jpg", columns=100, rows=70),
        statement,
        documents.zip_folder("last three months.zip", [statement, documents.plain_text("read me.txt", ["As agreed."])]),
        documents.word_document("employer's letter.docx", ["To whom it may concern,", "she works here."]),
    ]


def _utf8(archive: Json) -> bytes:
    return json.dumps(archive, ensure_ascii=False).encode()


def _ascii(archive: Json) -> bytes:
    return json.dumps(archive).encode()
