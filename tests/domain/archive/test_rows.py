"""Rows: every item in its table, keyed by reference and position."""

import json
from datetime import date

import pytest

from domain.archive.rows import discrepancy_rows, label_text, rows_of
from models.archive.archive import FormFieldRow, SignatureRow
from models.archive.content import FileRow
from models.archive.session import IntegrationRow, InvitationRow, LabelRow, SessionRow
from models.archive.verdict import SignedDocumentRow
from models.archive.warning import WarningRow
from models.payments import Discrepancy, DiscrepancyCode, DiscrepancyRow, PaymentKeyRow, PaymentRow
from tests.domain.payloads import IN_MAJOR_UNITS, TERMS, changed, fingerprint, read, read_body
from tests.samples import PNG, sample_document

REFERENCE = sample_document()["reference"]


def test_each_table_has_its_rows_of_the_sample() -> None:
    rows = rows_of(read(sample_document()), TERMS, fingerprint)

    assert {table: len(rows_of_table) for table, rows_of_table in rows.items()} == {
        SessionRow: 1,
        InvitationRow: 2,
        IntegrationRow: 1,
        LabelRow: 1,
        SignatureRow: 1,
        FormFieldRow: 5,
        FileRow: 2,
        SignedDocumentRow: 0,
        PaymentRow: 1,
        PaymentKeyRow: 0,
        WarningRow: 0,
    }


def test_rows_have_exactly_the_columns_of_their_table() -> None:
    archive = read(changed("sessions.0.submitted_at", None))

    for table, rows_of_table in rows_of(archive, TERMS, fingerprint).items():
        assert [set(row) for row in rows_of_table] == [set(table.model_fields)] * len(rows_of_table), table


def test_position_follows_the_payload() -> None:
    rows = rows_of(read(sample_document()), TERMS, fingerprint)[FormFieldRow]

    assert [(row["position"], row["id"]) for row in rows] == [(i, f"SOMEFIELD{i + 1}") for i in range(5)]
    assert {row["reference"] for row in rows} == {REFERENCE}


def test_session_row_keeps_the_reference_of_its_archive() -> None:
    rows = rows_of(read(changed("sessions.0.reference", "another")), TERMS, fingerprint)

    assert [row["reference"] for row in rows[SessionRow]] == [REFERENCE]


def test_rows_of_invitations_and_labels_name_their_session() -> None:
    document = sample_document()
    document["sessions"].append(document["sessions"][0])

    rows = rows_of(read(document), TERMS, fingerprint)

    assert [(row["session_position"], row["position"]) for row in rows[InvitationRow]] == [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    ]
    assert [(row["session_position"], row["position"]) for row in rows[LabelRow]] == [(0, 0), (1, 0)]


def test_file_without_content_has_a_warning_but_no_row() -> None:
    document = changed("signed_document.content", None)

    rows = rows_of(read(document), TERMS, fingerprint)

    (file,) = rows[FileRow]
    assert (file["position"], file["role"], file["size_bytes"]) == (0, "attachment", len(PNG))
    assert [row["code"] for row in rows[WarningRow]] == ["ATTACHMENT_EMPTY"]


def test_empty_file_has_a_row() -> None:
    rows = rows_of(read(changed("attachments.0.content", "")), TERMS, fingerprint)[FileRow]

    assert [row["size_bytes"] for row in rows][1] == 0


def test_payment_has_its_amount_in_minor_units_and_its_standing() -> None:
    (minor,) = rows_of(read(sample_document()), TERMS, fingerprint)[PaymentRow]
    (major,) = rows_of(read(sample_document()), IN_MAJOR_UNITS, fingerprint)[PaymentRow]

    assert (minor["amount_minor"], minor["currency"], minor["standing"]) == (2100, "ILS", "verified")
    assert major["amount_minor"] == 210000


def test_secrets_used_for_matching_are_fingerprints() -> None:
    (row,) = rows_of(read(sample_document()), TERMS, fingerprint)[PaymentRow]
    (bare,) = rows_of(read(changed("payments.0.provider_transaction_result", None)), TERMS, fingerprint)[PaymentRow]

    assert (row["cguid_fingerprint"], row["authorisation_fingerprint"]) == (
        fingerprint("69796709"),
        fingerprint("1579133"),
    )
    assert (bare["cguid_fingerprint"], bare["authorisation_fingerprint"]) == (None, None)


def test_authorisation_has_one_fingerprint_however_it_is_spelled() -> None:
    spelled = [changed("payments.0.provider_transaction_result.auth_number", each) for each in ("0ab12", "AB12 ")]

    rows = [row for each in spelled for row in rows_of(read(each), TERMS, fingerprint)[PaymentRow]]

    assert [row["authorisation_fingerprint"] for row in rows] == [fingerprint("ab12")] * 2


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
    others = rows[PaymentKeyRow]

    assert {row["payment_id"] for row in others} == {payment["payment_id"]}
    assert [row["position"] for row in others] == [0, 1, 2]
    assert [(row["cguid_fingerprint"], row["authorisation_fingerprint"], row["card_last4"]) for row in others] == [
        (fingerprint("1"), fingerprint("11"), "1111"),
        (fingerprint("2"), None, "4580"),
        (fingerprint("3"), None, "4580"),
    ]
    assert [(row["standing"], row["amount_minor"], row["currency"]) for row in others] == [
        ("charged", 1000, "USD"),
        ("unknown", 2100, "ILS"),
        ("failed", None, "ILS"),
    ]
    assert [(row["instalments"], row["periodical_minor"]) for row in others] == [(None, None), (3, 700), (None, None)]
    assert [row["paid_on"] for row in others] == [date(2022, 12, 21)] * 3
    assert (payment["cguid_fingerprint"], payment["amount_minor"]) == (fingerprint("4"), 2100)


def test_payment_has_its_instalments_and_its_day() -> None:
    document = changed("payments.0.amount", "2100")
    document["payments"][0]["provider_transaction_result"] |= {
        "numberOfPayments": "2",
        "firstPayment": "1000",
        "periodicalPayment": "550",
    }

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


def test_card_secrets_have_no_column() -> None:
    sample = sample_document()["payments"][0]["provider_transaction_result"]

    text = repr(rows_of(read(sample_document()), TERMS, fingerprint)[PaymentRow])

    assert [name for name in ("card_id", "session_cd", "auth_number", "cguid") if sample[name] in text] == []


@pytest.mark.parametrize(
    ("value", "text"),
    [("v", "v"), ("", ""), (5, "5"), (None, "null"), (True, "true"), (["ש"], '["ש"]'), ({"a": 0.5}, '{"a": 0.5}')],
)
def test_label_is_always_text(value: object, text: str) -> None:
    assert label_text(value) == text


def test_number_of_any_length_in_a_label_is_exact() -> None:
    body = json.dumps(changed("sessions.0.labels", {"k": "@"})).encode().replace(b'"@"', b"9" * 4000)

    (row,) = rows_of(read_body(body), TERMS, fingerprint)[LabelRow]

    assert row["value"] == "9" * 4000


def test_discrepancy_id_does_not_depend_on_its_amounts() -> None:
    def ids(*found: Discrepancy) -> list[str]:
        return [row["discrepancy_id"] for row in discrepancy_rows("r", found)[DiscrepancyRow]]

    code = DiscrepancyCode.AMOUNT_MISMATCH
    one, other = Discrepancy(code, "a", "1", "2"), Discrepancy(code, "a", "1", "3")

    assert ids(one) == ids(other)
    assert len(set(ids(one, Discrepancy(code, None, "1", "2"), Discrepancy(code, "a", "1", "2", subject="s")))) == 3
