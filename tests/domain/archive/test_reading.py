"""Reads a payload into an archive, its warnings and its rows."""

import base64
import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.archive.reading import reference_of
from domain.archive.rows import discrepancy_rows, label_text, rows_of
from domain.payments.reconciliation import reconcile
from models.archive.archive import Archive, FormField, FormFieldRow, Signature, WarningCode, WarningRow
from models.archive.content import FileRow, Role
from models.archive.session import Integration, Invitation, InvitationRow, LabelRow, SessionRow
from models.errors import Refused
from models.payments import Attempt, PaymentKeyRow, PaymentRow
from tests.domain.payloads import IN_MAJOR_UNITS, TERMS, changed, fingerprint, read, read_body
from tests.samples import PDF, PNG, sample_document

MOMENT = datetime(2022, 12, 21, 22, 29, 17, tzinfo=UTC)
REFERENCE = "f51c66ba-d33a-4c59-b63a-aa270383fb9e"


def at(microsecond: int) -> datetime:
    return MOMENT.replace(microsecond=microsecond)


def with_result(**members: Any) -> dict[str, Any]:
    """Return the sample with members of its payment's provider result."""
    document = sample_document()
    document["payments"][0]["provider_transaction_result"] |= members
    return document


@pytest.mark.parametrize(
    ("member", "value", "code", "where"),
    [
        ("event", None, "EVENT_MISSING", "event.type"),
        ("event", "WHP_ARCHIVE", "EVENT_MISSING", "event.type"),
        ("event", {"type": 1}, "EVENT_MISSING", "event.type"),
        ("event", {"type": "Dana Levi"}, "WRONG_EVENT", "event.type"),
        ("event", {"type": "whp_archive"}, "WRONG_EVENT", "event.type"),
        ("reference", None, "REFERENCE_MISSING", "reference"),
        ("reference", "", "REFERENCE_MISSING", "reference"),
        ("reference", 17, "BAD_REFERENCE", "reference"),
        ("reference", "x" * 256, "BAD_REFERENCE", "reference"),
        ("reference", "Dana\x00", "BAD_REFERENCE", "reference"),
        ("reference", "Dana\ud800", "BAD_REFERENCE", "reference"),
        ("sessions", None, "SESSIONS_MISSING", "sessions"),
        ("sessions", {}, "SESSIONS_MISSING", "sessions"),
        ("signed_document", {"content": 5}, "NOT_BASE64", "signed_document.content"),
        ("attachments", [{"content": ["aGVsbG8="]}], "NOT_BASE64", "attachments[0].content"),
        ("attachments", [{"content": {}}], "NOT_BASE64", "attachments[0].content"),
        ("attachments", [{"content": False}], "NOT_BASE64", "attachments[0].content"),
    ],
)
def test_archive_without_its_required_members_is_refused_and_the_refusal_repeats_none(
    member: str, value: Any, code: str, where: str
) -> None:
    with pytest.raises(Refused) as refused:
        read(sample_document() | {member: value})

    assert (refused.value.code, refused.value.where, refused.value.status) == (code, where, 422)
    assert "Dana" not in str(refused.value)


@pytest.mark.parametrize("reference", ["x", "../../etc/passwd", "תהליך 1", "🙂" * 255, "\n"])
def test_any_text_is_a_valid_reference_and_nothing_but_the_required_members_is_needed(reference: str) -> None:
    assert reference_of(sample_document() | {"reference": reference}) == reference

    archive = read({"event": {"type": "WHP_ARCHIVE"}, "reference": reference, "sessions": []})
    assert archive == Archive(reference, None, None, None, (), (), (), (), (), ())


def test_sample_and_its_session_are_read_whole_without_warnings() -> None:
    archive = read(sample_document())

    assert (archive.reference, archive.event_at, archive.warnings) == (REFERENCE, at(603248), ())
    assert (archive.process_number, archive.template_id) == (100, "9fa70d4ccea84262b1ed2308a07a3fb4")
    (session,) = archive.sessions
    sent = sample_document()["sessions"][0]
    assert (session.where, session.id, session.author) == ("sessions[0]", "wSYqmI4xsE", "john@example.com")
    assert (session.reference, session.process_id) == (sent["reference"], sent["process_id"])
    assert (session.process_number, session.transaction_number) == (100, 30)
    assert (session.recipient_id, session.recipient_name) == ("1", "client")
    assert (session.recipient, session.submission_details) == (sent["recipient"], sent["submission_details"])
    assert (session.latitude, session.longitude) == (33.196944, 35.543705)
    assert (session.created_at, session.submitted_at) == (at(603287), at(603290))
    assert session.labels == {"CUSTOMER_TAG": "CUSTOMER_VALUE"}
    assert session.invitations == (
        Invitation("otp", "email", "client@example.com", None, "sent"),
        Invitation("invitation", "email", "client@example.com", None, "sent"),
    )
    where, integration = "sessions[0].integrations[0]", "861c85ff-ba57-4679-8a63-c731d4e7b10b"
    assert session.integrations == (
        Integration(where, integration, "EF_CLIENT_LOGGED_IN", "success", at(603312), None),
    )


def test_signature_fields_files_and_payment_of_the_sample_are_read() -> None:
    archive = read(sample_document())

    assert archive.signatures == (
        Signature("signatures[0]", "SIGNATURE1", at(603330), "1", "client", {"SOME_TAG": "SOME_VALUE"}),
    )
    box = (65.91806722689076, 8.194774346793352, 28.8781512605042, 2.048693586698337)
    assert archive.fields[0] == FormField("SOMEFIELD1", "text", "SOMEVALUE1", True, 1, *box, {}, None, None)
    assert [each.page for each in archive.fields] == [1, 3, 0, 0, 0]
    assert archive.fields[4].meta == {"geocoder": "Arlozorov St 160, Tel Aviv-Yafo, Israel"}
    assert [
        (each.where, each.role, each.element_id, each.filename, each.media_type, each.stored and each.stored.size_bytes)
        for each in archive.contents
    ] == [
        ("signed_document", Role.SIGNED_DOCUMENT, None, "SIGNEDDOCUMENT.pdf", "application/pdf", len(PDF)),
        ("attachments[0]", Role.ATTACHMENT, "ATTACHMENT_FIELD_ID", "SOMEFILENAME1.png", "image/png", len(PNG)),
    ]
    attempt = Attempt(
        transaction_id="4a45b2df-f7bd-48bf-a2b4-b8405eb51194",
        session_id="wSYqmI4xsE",
        type="verify_credit_card",
        status="success",
        amount=Decimal(2100),
        currency="ILS",
        provider_total=Decimal(2100),
        provider_reference="4f33600c-34bf-4cb1-af3a-52237b1ecc5a",
        card_mask="458045******4580",
        card_brand="Visa",
        card_acquirer="Alphacard",
        card_no_last4="4580",
        card_expires=date(2024, 7, 1),
        cguid="69796709",
        authorisation="1579133",
    )
    assert [each.attempts for each in archive.payments] == [(attempt,)]


def test_first_session_that_has_process_number_and_template_decides() -> None:
    bare, complete = {"id": "a"}, {"process_number": 7, "template": {"id": "t"}}

    archive = read(sample_document() | {"sessions": [bare, complete, sample_document()["sessions"][0]]})

    assert (archive.process_number, archive.template_id) == (7, "t")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("32.001186,34.9413393", (32.001186, 34.9413393)),
        ("-90, 180", (-90.0, 180.0)),
        ("90.1,0", (None, None)),
        ("0,-180.5", (None, None)),
        ("1,2,3", (None, None)),
        ("north,east", (None, None)),
        (32.0, (None, None)),
    ],
)
def test_location_field_alone_has_coordinates(value: Any, expected: tuple[float | None, float | None]) -> None:
    document = changed("data.4.value", value)
    document["data"][3] |= {"type": "text", "value": value}

    _, _, _, text, location = read(document).fields

    assert (location.latitude, location.longitude, location.value) == (*expected, value)
    assert (text.latitude, text.longitude) == (None, None)


def test_amount_keeps_every_digit() -> None:
    body = json.dumps(changed("payments.0.amount", "@")).encode()

    (payment,) = read_body(body.replace(b'"@"', b"0.1000000000000000055511151231257827")).payments

    assert payment.attempts[0].amount == Decimal("0.1000000000000000055511151231257827")


def test_attempts_at_one_transaction_become_one_payment_in_first_place() -> None:
    document = sample_document()
    document["payments"] = [
        {"transaction_id": "a", "status": "failure"},
        {"status": "success"},
        {"transaction_id": "b"},
        {"transaction_id": " a ", "status": "success"},
        {"transaction_id": " "},
    ]

    found = [[(each.transaction_id, each.status) for each in payment.attempts] for payment in read(document).payments]

    assert found == [[("a", "failure"), ("a", "success")], [(None, "success")], [("b", None)], [(None, None)]]


@pytest.mark.parametrize(
    "numbers",
    [
        {"numberOfPayments": "3", "firstPayment": "700", "periodicalPayment": "350", "auth_number": "7"},
        {"number_of_payments": 3, "first_payment": 700, "periodical_payment": 350.0, "authNumber": "7"},
        {"NUMBER_OF_PAYMENTS": 3, "firstpayment": 700, "PeriodicalPayment": 350, "AuthNumber": 7},
        {
            "numberOfPayments": None,
            "number_of_payments": " 3 ",
            "firstPayment": "700.00",
            "periodicalPayment": 350,
            "auth_number": " 7 ",
        },
    ],
)
def test_members_of_a_result_are_read_in_any_spelling(numbers: dict[str, Any]) -> None:
    document = sample_document()
    del document["payments"][0]["provider_transaction_result"]["auth_number"]
    document["payments"][0]["provider_transaction_result"] |= numbers

    archive = read(document)

    (attempt,) = archive.payments[0].attempts
    instalments = (attempt.number_of_payments, attempt.first_payment, attempt.periodical_payment)
    assert instalments == (Decimal(3), Decimal(700), Decimal(350))
    assert (attempt.authorisation, archive.warnings) == ("7", ())


@pytest.mark.parametrize(("name", "value"), [("cguid", ""), ("cguid", " "), ("auth_number", None)])
def test_empty_secret_is_none(name: str, value: str | None) -> None:
    (attempt,) = read(with_result(**{name: value})).payments[0].attempts

    assert (attempt.cguid, attempt.authorisation).count(None) == 1


@pytest.mark.parametrize(
    ("said", "results"),
    [
        ({"RESULT": " 033 "}, {"result": "033"}),
        ({"result": 33}, {"result": "33"}),
        ({"result": ""}, {}),
        ({"result_text": "refused"}, {}),
    ],
)
def test_result_is_read_from_the_member_named_in_the_settings(said: dict[str, Any], results: dict[str, str]) -> None:
    archive = read(with_result(**said))

    assert (archive.payments[0].attempts[0].results, archive.warnings) == (results, ())


# --- junk in optional places -----------------------------------------------------------------------------------------

NASTY = ["", "\x00", "\ud800", "\U0010ffff", "1e308", "9" * 30, "0001-01-01T00:00:00", "9999-12-31T23:59:59", "ILS"]
NUMBERS = ["1e999", "-1e999", "1e-999", "123456789" * 20, "9223372036854775808", "-9223372036854775808", "0.1", "-0.0"]
RAW = {f"@number {i}@": number for i, number in enumerate(NUMBERS)}  # numbers that Python's json would not write

texts = st.text(st.characters(exclude_categories=())) | st.sampled_from(NASTY)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(list(RAW))
scalars = st.none() | st.booleans() | numbers | texts

Path = tuple[str | int, ...]


def junk(keys: st.SearchStrategy[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        values, lambda of: st.lists(of, max_size=3) | st.dictionaries(keys, of, max_size=3), max_leaves=8
    )


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, member in members:
        yield from _paths(member, (*path, step))


REQUIRED: set[Path] = {(), ("event",), ("event", "type"), ("reference",), ("sessions",)}
OPTIONAL = [path for path in _paths(sample_document()) if path not in REQUIRED]
LISTS = [(name, 0) for name in ("sessions", "data", "payments", "attachments")]


@st.composite
def documents(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> dict[str, Any]:
    """Build the sample with junk in place of optional members and between the entries of its lists."""
    document = changed("attachments.0.content", "aGVsbG8=")
    document["signed_document"]["content"] = ""
    for path in draw(st.lists(st.sampled_from(OPTIONAL), max_size=5)):
        _put(document, path, draw(values), insert=False)
    for path in draw(st.lists(st.sampled_from(LISTS), max_size=2)):
        _put(document, path, draw(values), insert=True)
    return document


def _put(document: Any, path: Path, value: Any, *, insert: bool) -> None:
    *above, last = path
    for step in above:
        if not _has(document, step):
            return
        document = document[step]
    if insert and isinstance(document, list):
        document.insert(0, value)
    elif _has(document, last):
        document[last] = value


def _has(value: Any, step: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(step, int) and step < len(value)
    return isinstance(value, dict) and step in value


def result_of(document: dict[str, Any]) -> Archive | Refused:
    body = json.dumps(document).encode()
    try:
        return read_body(re.sub(rb'"(@number \d+@)"', lambda found: RAW[found[1].decode()].encode(), body))
    except Refused as refused:
        return refused


def storable_rows(archive: Archive) -> Iterator[dict[str, Any]]:
    for terms in (TERMS, IN_MAJOR_UNITS):
        found = discrepancy_rows(archive.reference, reconcile(archive, terms))
        for its_rows in {**rows_of(archive, terms, fingerprint), **found}.values():
            yield from (dict(row) for row in its_rows)


@given(documents(junk(texts, scalars)))
def test_junk_in_optional_members_is_refused_or_yields_storable_rows(document: dict[str, Any]) -> None:
    result = result_of(document)
    if isinstance(result, Refused):
        assert result.code == "NOT_BASE64", "only a content's own bytes can cost the archive"
        return

    for row in storable_rows(result):
        for name, value in row.items():
            in_json = isinstance(value, dict | list) or name in {"value", "error"}
            assert is_storable(value, in_json=in_json), (name, value)


def is_storable(value: Any, *, in_json: bool) -> bool:
    match value:
        case dict() if in_json:
            return all(is_storable([key, each], in_json=True) for key, each in value.items())
        case list() if in_json:
            return all(is_storable(each, in_json=True) for each in value)
        case str():
            return not re.search("[\x00\ud800-\udfff]", value)
        case datetime():
            return value.tzinfo is UTC and 1 < value.year < 9999
        case int():
            return in_json or -(1 << 63) < value < 1 << 63
        case _:
            return value is None or isinstance(value, date) or math.isfinite(value)


MARK = "Dana-Levi-0541234567"
marked = st.sampled_from([MARK, f"{MARK}\x00", f" {MARK} ", f"12{MARK}", f"{MARK}\ud800"]) | st.just(541234567)
plain_keys = st.sampled_from(["id", "status", "type", "value", "content", "x"])


@given(documents(junk(plain_keys, marked | st.none() | st.booleans())))
def test_warnings_name_a_place_and_repeat_no_value(document: dict[str, Any]) -> None:
    archive = result_of(document)
    if isinstance(archive, Refused):
        assert MARK not in str(archive)
        assert is_place(archive.where, document)
        return

    for warning in archive.warnings:
        assert "541234567" not in warning.where + str(warning.values)
        assert is_place(warning.where, document), warning
    for found in reconcile(archive, TERMS):
        assert MARK not in found.expected + found.found


def is_place(where: str, document: Any) -> bool:
    """Return whether a path leads into the document. Names may be missing at its end, positions in lists may not."""
    steps: list[str | int] = [
        int(index) if index else name for name, index in re.findall(r"([^.\[\]{}]+|\{\d+\})|\[(\d+)\]", where)
    ]
    value = document
    for number, step in enumerate(steps):
        numbered = isinstance(step, str) and step.startswith("{")
        name = list(value)[int(str(step).strip("{}"))] if numbered else step
        if not _has(value, name):
            return not any(isinstance(each, int) for each in steps[number:])
        value = value[name]
    return bool(steps)


# --- card numbers ----------------------------------------------------------------------------------------------------

CARD, MASKED = "4580458045804580", "************4580"


@pytest.mark.parametrize(
    ("name", "sent", "shown"),
    [
        ("value", CARD, MASKED),
        ("value", int(CARD), MASKED),
        ("value", {"card": [CARD]}, {"card": [MASKED]}),
        ("meta", {"typed": f"{CARD} 12/29", CARD: [int(CARD)]}, {"typed": f"{MASKED} 12/29", MASKED: [MASKED]}),
    ],
)
def test_card_number_in_a_field_is_masked_and_kept_for_comparison(name: str, sent: Any, shown: Any) -> None:
    archive = read(changed(f"data.0.{name}", sent))

    field = archive.fields[0]
    assert (getattr(field, name), field.unmasked) == (shown, {name: sent})
    assert CARD not in str(rows_of(archive, TERMS, fingerprint)) + repr(archive)


@pytest.mark.parametrize("kind", ["payment", "text"])
def test_transaction_id_is_masked_outside_payment_fields_only(kind: str) -> None:
    document = changed("payments.0.transaction_id", CARD)
    document["data"][3] |= {"value": CARD, "type": kind}

    assert read(document).fields[3].value == (CARD if kind == "payment" else MASKED)


@pytest.mark.parametrize("card", [CARD, "4580\u00a04580\u20134580\u200e4580", "4580/4580/4580/4580"])
@pytest.mark.parametrize(
    "name",
    [
        *("card_aquirer", "card_brand", "currency", "card_mask", "cardMask", "total", "numberOfPayments"),
        *("firstPayment", "periodicalPayment", "result"),
    ],
)
def test_card_number_in_any_member_of_a_result_is_not_shown(name: str, card: str) -> None:
    archive = read(with_result(**{"numberOfPayments": "3", name: card}))

    assert card not in repr(archive.payments) + repr(reconcile(archive, TERMS))
    assert CARD not in re.sub("[^0-9*]", "", repr(archive.payments))


@pytest.mark.parametrize("name", ["type", "status", "amount"])
def test_card_number_in_a_member_of_a_payment_is_not_shown(name: str) -> None:
    assert CARD not in repr(read(changed(f"payments.0.{name}", CARD)).payments)


# --- warnings --------------------------------------------------------------------------------------------------------

HTML = base64.b64encode(b"<!doctype html><script>").decode()
SESSION: dict[str, Any] = sample_document()["sessions"][0]
OTP = "sessions.0.recipient.otp_destination.status"


@pytest.mark.parametrize(
    ("code", "path", "value", "where"),
    [
        ("ATTACHMENT_EMPTY", "attachments.0.content", "", "attachments[0].content"),
        ("ATTACHMENT_EMPTY", "attachments.0", {"filename": "a.png"}, "attachments[0].content"),
        ("ATTACHMENT_EMPTY", "signed_document.content", " \n", "signed_document.content"),
        ("INTEGRATION_FAILED", "sessions.0.integrations.0.status", "failed", "sessions[0].integrations[0].status"),
        ("INTEGRATION_FAILED", "sessions.0.integrations.0.status", None, "sessions[0].integrations[0].status"),
        ("MEDIA_TYPE_MISMATCH", "attachments.0.content", HTML, "attachments[0].mimetype"),
        ("MEDIA_TYPE_MISMATCH", "signed_document.mimetype", "image/png", "signed_document.mimetype"),
        ("OTP_NOT_SENT", OTP, "failed", "sessions[0].recipient.otp_destination.status"),
        ("OTP_NOT_SENT", OTP, None, "sessions[0].recipient.otp_destination.status"),
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
    ],
)
def test_warning_appears_once_and_names_its_place(code: str, path: str, value: Any, where: str) -> None:
    warnings = read(changed(path, value)).warnings

    assert [(each.code, each.where) for each in warnings if each.where == where or each.code == code] == [(code, where)]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("attachments.0.content", "iVBORw0KGgo="),
        ("attachments", []),
        ("signed_document", None),
        ("sessions.0.integrations", []),
        ("sessions.0.recipient.otp_destination", None),
        ("sessions.0.recipient.invitations.0.status", "failed"),  # the invitation, not the one-time password
        ("sessions.0.submitted_at", "2022-12-21"),
        ("sessions.0.reference", None),
        ("signatures.0.signed_by.id", 1),
        ("sessions.0.recipient.id", "1"),
        ("signatures", []),
        ("data.0.value", "a whole 🙂"),
        ("event.timestamp", None),
        ("data.0.page", "1"),
        ("payments", None),
        ("payments.0.new_member", [1]),
        ("new_member", {"a": None}),
    ],
)
def test_near_miss_and_unknown_member_bring_no_warning(path: str, value: Any) -> None:
    assert read(changed(path, value)).warnings == ()


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


def test_too_many_warnings_of_a_code_end_with_a_warning_that_counts_the_rest() -> None:
    found = read(sample_document() | {"signatures": [{}] * 1000, "data": [3] * 200}).warnings

    counts = Counter(each.code for each in found)
    assert counts == {WarningCode.SIGNER_UNKNOWN: 200, WarningCode.WRONG_TYPE: 200, WarningCode.MORE_WARNINGS: 1}
    assert (found[-1].where, found[-1].values) == ("", {"count": 800, "code": "SIGNER_UNKNOWN"})


# --- rows ------------------------------------------------------------------------------------------------------------


def test_rows_have_the_columns_of_their_table_and_the_places_of_the_payload() -> None:
    document = changed("sessions.0.reference", "another")
    document["sessions"].append(document["sessions"][0])

    rows = rows_of(read(document), TERMS, fingerprint)

    for table, rows_of_table in rows.items():
        assert [set(row) for row in rows_of_table] == [set(table.model_fields)] * len(rows_of_table), table
        assert {row["reference"] for row in rows_of_table} <= {REFERENCE}
    assert len(rows[SessionRow]) == 2
    assert [(row["position"], row["id"]) for row in rows[FormFieldRow]] == [(i, f"SOMEFIELD{i + 1}") for i in range(5)]
    for table, places in ((InvitationRow, [(0, 0), (0, 1), (1, 0), (1, 1)]), (LabelRow, [(0, 0), (1, 0)])):
        assert [(row["session_position"], row["position"]) for row in rows[table]] == places


def test_file_without_content_has_a_warning_but_no_row_and_an_empty_file_has_both() -> None:
    document = changed("signed_document.content", None)
    document["attachments"].append({"content": ""})

    rows = rows_of(read(document), TERMS, fingerprint)

    assert [(file["position"], file["role"], file["size_bytes"]) for file in rows[FileRow]] == [
        (0, "attachment", len(PNG)),
        (1, "attachment", 0),
    ]
    assert [row["code"] for row in rows[WarningRow]] == ["ATTACHMENT_EMPTY"] * 2


def test_secrets_used_for_matching_are_fingerprints_however_they_are_spelled() -> None:
    spelled = [with_result(auth_number=each) for each in ("0ab12", "AB12 ")]
    bare = changed("payments.0.provider_transaction_result", None)

    rows = [row for each in (*spelled, bare) for row in rows_of(read(each), TERMS, fingerprint)[PaymentRow]]

    assert [(row["cguid_fingerprint"], row["authorisation_fingerprint"]) for row in rows] == [
        (fingerprint("69796709"), fingerprint("ab12")),
        (fingerprint("69796709"), fingerprint("ab12")),
        (None, None),
    ]


def test_other_attempts_keep_their_matching_keys_standing_and_amounts() -> None:
    document = sample_document()
    (sent,) = document["payments"]
    result = sent["provider_transaction_result"]
    attempts = [
        ("success", 1000, {"cguid": "1", "auth_number": "011", "card_no": "1111", "currency": "USD"}),
        ("pending", 2100, {"cguid": "2", "auth_number": "", "numberOfPayments": "3", "periodicalPayment": "700"}),
        ("failure", None, {"cguid": "3", "auth_number": ""}),
        ("pending", 2100, {"cguid": "", "auth_number": ""}),
        ("success", 2100, {"cguid": "4"}),
    ]
    document["payments"] = [
        sent | {"type": "charge", "status": status, "amount": amount, "provider_transaction_result": result | members}
        for status, amount, members in attempts
    ]

    rows = rows_of(read(document), TERMS, fingerprint)

    (payment,) = rows[PaymentRow]
    assert (payment["cguid_fingerprint"], payment["amount_minor"]) == (fingerprint("4"), 2100)
    assert {(row["payment_id"], row["paid_on"]) for row in rows[PaymentKeyRow]} == {
        (payment["payment_id"], date(2022, 12, 21))
    }
    keys = ("position", "cguid_fingerprint", "authorisation_fingerprint", "card_last4")
    assert [tuple(row[name] for name in keys) for row in rows[PaymentKeyRow]] == [
        (0, fingerprint("1"), fingerprint("11"), "1111"),
        (1, fingerprint("2"), None, "4580"),
        (2, fingerprint("3"), None, "4580"),
    ]
    facts = ("standing", "amount_minor", "currency", "instalments", "periodical_minor")
    assert [tuple(row[name] for name in facts) for row in rows[PaymentKeyRow]] == [
        ("charged", 1000, "USD", None, None),
        ("unknown", 2100, "ILS", 3, 700),
        ("failed", None, "ILS", None, None),
    ]


def test_payment_has_its_instalments_and_its_day() -> None:
    document = with_result(numberOfPayments="2", firstPayment="1000", periodicalPayment="550")
    document["payments"][0]["amount"] = "2100"

    (row,) = rows_of(read(document), TERMS, fingerprint)[PaymentRow]

    assert (row["instalments"], row["first_minor"], row["periodical_minor"]) == (3, 1000, 550)
    assert (row["paid_on"], row["attempts"], row["card_last4"]) == (date(2022, 12, 21), 1, "4580")


def test_payment_id_does_not_depend_on_other_payments() -> None:
    document = sample_document()
    (sent,) = document["payments"]
    document["payments"] = [sent | {"transaction_id": each} for each in ("another", None, sent["transaction_id"], None)]

    rows = rows_of(read(document), TERMS, fingerprint)[PaymentRow]
    (alone,) = rows_of(read(sample_document()), TERMS, fingerprint)[PaymentRow]

    assert [row["payment_id"] == alone["payment_id"] for row in rows] == [False, False, True, False]
    assert len({row["payment_id"] for row in rows}) == 4


@pytest.mark.parametrize(
    ("value", "text"),
    [("v", "v"), (5, "5"), (None, "null"), (True, "true"), (["ש"], '["ש"]'), ({"a": 0.5}, '{"a": 0.5}')],
)
def test_label_is_always_text(value: object, text: str) -> None:
    assert label_text(value) == text


def test_number_of_any_length_in_a_label_is_exact() -> None:
    body = json.dumps(changed("sessions.0.labels", {"k": "@"})).encode().replace(b'"@"', b"9" * 4000)

    (row,) = rows_of(read_body(body), TERMS, fingerprint)[LabelRow]

    assert row["value"] == "9" * 4000
