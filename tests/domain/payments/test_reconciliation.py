"""Finds what does not add up between payments and form. Each code has cases."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from domain.payments.booking import booked
from domain.payments.discrepancies import by_id
from domain.payments.reconciliation import reconcile, vanished
from models.discrepancies import DiscrepancyCode
from models.payments import PaymentTerms
from tests.domain.payloads import IN_MAJOR_UNITS, TERMS, changed, read
from tests.samples import sample_document

C = DiscrepancyCode

PAYMENT = "4a45b2df-f7bd-48bf-a2b4-b8405eb51194"


def payment(result: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    """Return the sample with other members of its payment and of the provider's result."""
    document = sample_document()
    (sent,) = document["payments"]
    sent["provider_transaction_result"] |= result or {}
    document["payments"] = [sent | members]
    return document


def field(value: Any, **members: Any) -> dict[str, Any]:
    """Return the sample with another payment field."""
    return changed("data.0", {"type": "payment", "id": "another", "value": value} | members)


def beside_success(result: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    """Return the sample with two charges at one transaction, of which the second succeeded."""
    (sent,) = payment(result, **{"type": "charge"} | members)["payments"]
    return changed("payments", [sent, *payment(type="charge")["payments"]])


def in_sessions(paid_in: str | int | None, *ids: str | int | None) -> dict[str, Any]:
    """Return the sample with a session for each id, and its payment in one of them."""
    document = payment(session_id=paid_in)
    (session,) = document["sessions"]
    return document | {"sessions": [session | {"id": each} for each in ids]}


def instalments(number: str, first: str, periodical: str, **result: Any) -> dict[str, Any]:
    return payment({"numberOfPayments": number, "firstPayment": first, "periodicalPayment": periodical} | result)


NOT_PAID: list[Any] = ["", " ", None, [], {}, True]
CASES: list[tuple[dict[str, Any], Sequence[DiscrepancyCode]]] = [
    (sample_document(), []),
    (payment(amount=2101), [C.AMOUNT_MISMATCH]),
    (payment({"total": "210000", "currency": "JPY"}), [C.AMOUNT_MISMATCH]),
    (instalments("3", "700", "701"), [C.AMOUNT_MISMATCH]),
    (instalments("2", "700", "700"), []),
    (payment({"total": "2100.00"}, amount="2100"), []),
    (payment({"total": None}), []),
    (beside_success(amount=2101), [C.AMOUNT_MISMATCH]),
    (beside_success({"total": "2099"}, type="hold"), [C.AMOUNT_MISMATCH]),
    (beside_success({"total": "1000"}, amount=1000), []),  # each compared with its own total
    (beside_success({"auth_number": ""}, amount=2101, status="failure"), []),
    (beside_success(amount=2101, status="pending"), []),
    (beside_success(amount=2101, type="verify_credit_card"), []),
    (payment(amount=21.5), [C.BAD_AMOUNT]),
    (payment({"total": "0.5"}), [C.BAD_AMOUNT]),
    (payment({"auth_number": ""}, amount=21.5, status="failure"), [C.BAD_AMOUNT]),
    (payment({"auth_number": ""}, amount=None, status="failure"), []),
    (payment({"currency": "NIS"}, amount=21.5), [C.BAD_CURRENCY, C.BAD_AMOUNT]),
    (beside_success(amount=0), [C.BAD_AMOUNT]),
    (beside_success({"total": "0.5"}, amount=None), [C.BAD_AMOUNT, C.BAD_AMOUNT]),
    (beside_success({"total": "0"}, amount=0, type="hold"), []),
    (beside_success(amount=None, status="pending"), []),
    (payment({"currency": None}), [C.BAD_CURRENCY]),
    (payment({"currency": "NIS", "auth_number": ""}, status="failure"), [C.BAD_CURRENCY]),
    (payment(provider_transaction_result=None), [C.BAD_CURRENCY]),
    (payment(provider_transaction_result=None, status="failure"), []),
    (beside_success({"currency": "NIS"}), [C.BAD_CURRENCY]),
    (beside_success(provider_transaction_result=None, status="pending"), []),
    (payment({"card_no": "xxxxxxxxxxxx4581"}), [C.CARD_CONFLICT]),
    *((payment(card), []) for card in ({"card_no": "4580"}, {"card_no": ""}, {"card_mask": "458045******"})),
    (beside_success({"card_no": "xxxxxxxxxxxx4581"}), [C.CARD_CONFLICT]),
    (beside_success({"card_no": "1111", "card_mask": "458045******1111"}), []),
    (payment({"card_expiration": "12/21"}), [C.CARD_EXPIRED]),
    (payment({"card_expiration": "1122"}, session_id="x"), [C.UNKNOWN_SESSION, C.CARD_EXPIRED]),
    (payment({"card_expiration": "1222"}), []),  # to the end of the month
    (payment({"card_expiration": "2212"}), []),
    (payment({"card_expiration": "1122", "auth_number": ""}, status="failure"), []),
    (beside_success({"card_expiration": "1122"}, type="hold"), [C.CARD_EXPIRED]),
    *((field(each), [C.FIELD_WITHOUT_PAYMENT]) for each in ("no such", 17, [PAYMENT], {"transaction_id": PAYMENT})),
    *((field(each), []) for each in NOT_PAID),
    (field(PAYMENT), []),  # two fields name one payment
    *((field(each, type="text"), []) for each in (["a list"], "no such transaction")),
    (
        field([PAYMENT]) | {"payments": [sample_document()["payments"][0] | {"transaction_id": None}]},
        [C.PAYMENT_WITHOUT_FIELD, C.FIELD_WITHOUT_PAYMENT, C.FIELD_WITHOUT_PAYMENT],
    ),
    (payment(transaction_id="x"), [C.PAYMENT_WITHOUT_FIELD, C.FIELD_WITHOUT_PAYMENT]),
    (payment({"auth_number": ""}, status="failure", transaction_id="x"), [C.FIELD_WITHOUT_PAYMENT]),
    (changed("data.3.type", "text"), [C.PAYMENT_WITHOUT_FIELD]),
    (changed("data.3.value", f" {PAYMENT} "), []),
    (payment({"auth_number": ""}, type="charge"), [C.STATUS_CONFLICT]),
    (payment(status="failure"), [C.STATUS_CONFLICT]),
    (payment({"result": "033"}, type="charge"), [C.STATUS_CONFLICT]),
    (payment({"Result": 33}, type="refund", status="Success"), [C.STATUS_CONFLICT]),
    (payment({"result": "033", "auth_number": ""}, type="charge"), [C.STATUS_CONFLICT]),
    (payment({"result": "000"}, type="charge"), []),
    (payment({"result": "033"}, status="pending"), []),
    (payment({"result": "033", "auth_number": ""}, status="failure"), []),
    (payment({"auth_number": ""}), []),  # of a verification
    (beside_success({"auth_number": ""}, status="failed"), []),
    (beside_success({"auth_number": ""}), [C.STATUS_CONFLICT]),
    (beside_success({"result": "033"}), [C.STATUS_CONFLICT]),
    (beside_success(status="failure"), [C.STATUS_CONFLICT]),
    (beside_success({"auth_number": ""}, type="hold"), []),
    (payment(amount=21), [C.UNIT_MISMATCH]),
    (payment(amount=210000), [C.UNIT_MISMATCH]),
    (payment({"total": "-2100"}, amount=-21), [C.UNIT_MISMATCH]),
    (payment({"total": "2100000", "currency": "KWD"}), [C.UNIT_MISMATCH]),
    (payment(amount=210), [C.AMOUNT_MISMATCH]),
    (payment({"total": "0"}), [C.AMOUNT_MISMATCH]),
    (beside_success(amount=21), [C.UNIT_MISMATCH]),
    (payment(session_id=None), [C.UNKNOWN_SESSION]),
    (beside_success(session_id="another"), [C.UNKNOWN_SESSION]),
    (beside_success(session_id="another", status="failure"), [C.STATUS_CONFLICT]),
    (changed("sessions.0.submitted_at", None), []),
    (in_sessions("2", "1", "2"), []),
    (in_sessions("7", 7), []),  # ids come as numbers and as text
    (in_sessions(7, "7"), []),
    (in_sessions("07", 7), [C.UNKNOWN_SESSION]),
    (in_sessions(None, None), [C.UNKNOWN_SESSION]),
]
CASES_IN_MAJOR_UNITS = [
    (payment(amount=22), [C.AMOUNT_MISMATCH]),
    (payment(), [C.UNIT_MISMATCH]),
    (payment({"currency": "JPY"}), []),  # without minor units both readings agree
    (payment({"total": "2100", "currency": "KWD"}, amount=2.1), []),
    (payment({"currency": "NIS"}, amount=21.5), [C.BAD_CURRENCY]),
]


@pytest.mark.parametrize(
    ("document", "found", "terms"),
    [*((*each, TERMS) for each in CASES), *((*each, IN_MAJOR_UNITS) for each in CASES_IN_MAJOR_UNITS)],
)
def test_document_has_exactly_the_expected_discrepancies(
    document: dict[str, Any], found: Sequence[DiscrepancyCode], terms: PaymentTerms
) -> None:
    assert [each.code for each in reconcile(read(document), terms)] == list(found)


CHARGE = payment(type="charge")
NAMELESS = payment(type="charge", transaction_id=None)
SECRETLESS = payment({"cguid": ""}, type="charge", transaction_id=None)
WITHOUT = changed("payments", [])


def tried_again(status: str) -> dict[str, Any]:
    """Return the charge with a status, and a second charge at the same transaction with another provider id."""
    attempts = (payment(type="charge", status=status), payment({"cguid": "2"}, type="charge"))
    return changed("payments", [attempt for each in attempts for attempt in each["payments"]])


VERSIONS: list[tuple[list[dict[str, Any]], dict[str, Any], list[str | None]]] = [
    ([CHARGE], WITHOUT, [PAYMENT]),
    ([CHARGE, WITHOUT], WITHOUT, [PAYMENT]),
    ([NAMELESS], WITHOUT, [None]),
    ([CHARGE], payment({"cguid": "2"}, type="charge", transaction_id="another"), [PAYMENT]),
    ([CHARGE], CHARGE, []),
    ([CHARGE], payment(type="charge", status="failed"), []),  # present, but no longer charged
    ([CHARGE], NAMELESS, []),  # same provider transaction
    ([NAMELESS], tried_again("success"), []),  # likewise, in an attempt that does not decide
    ([NAMELESS], tried_again("failure"), []),
    ([tried_again("success"), NAMELESS], WITHOUT, [PAYMENT]),
    ([payment()], WITHOUT, []),  # only verified
    ([payment({"auth_number": ""}, type="charge", status="failed")], WITHOUT, []),
    ([SECRETLESS], WITHOUT, []),  # cannot be identified
]


@pytest.mark.parametrize(("older", "current", "gone"), VERSIONS)
def test_charge_missing_from_the_current_version_has_vanished(
    older: list[dict[str, Any]], current: dict[str, Any], gone: list[str | None]
) -> None:
    found = vanished(booked(read(current), TERMS), [booked(read(each), TERMS) for each in older])

    assert [(each.code, each.transaction_id) for each in found] == [(C.PAYMENT_VANISHED, each) for each in gone]
    assert {(each.expected, each.found) for each in found} <= {("a charge of 21.00 ILS", "none")}


def test_vanished_charges_without_transaction_ids_are_numbered() -> None:
    other = payment({"cguid": "2"}, type="charge", transaction_id=None)

    found = vanished([], [booked(read(each), TERMS) for each in (NAMELESS, other, NAMELESS)])

    assert [each.subject for each in found] == ["payment[0]", "payment[1]"]


def test_vanished_charge_has_the_amount_and_ids_of_its_newest_version() -> None:
    renamed = [
        payment({"cguid": "2"}, type="charge", transaction_id="other", amount=2500),
        payment({"cguid": "1"}, type="charge", transaction_id="other"),
        payment({"cguid": "1"}, type="charge", transaction_id="first"),
    ]

    (found,) = vanished([], [booked(read(each), TERMS) for each in renamed])

    assert (found.transaction_id, found.expected) == ("other", "a charge of 25.00 ILS")


DESCRIBED = [
    (payment(amount=2500), "21.00 ILS", "25.00 ILS", ""),
    (payment({"card_no": "1234567812345678"}), "a card that ends in 4580", "a card that ends in 5678", ""),
    (payment({"card_expiration": "1122"}), "a card valid in 2022-12", "valid until 2022-11", ""),
    (payment({"total": "x.5"}, amount=None), "an amount in whole minor units", "missing or not a number", ""),
    (field("4580458045804580"), "a payment", "none", "data[0]"),
    (
        payment({"result": "4580458045804580"}),
        "a success with the result 000",
        "a success with the result ************4580",
        "",
    ),
    (
        beside_success(status="failure"),
        "a failure without an authorisation number",
        "a failure with an authorisation number, in attempt 1",
        "attempt 1",
    ),
    (
        beside_success({"numberOfPayments": "3", "firstPayment": "700", "periodicalPayment": "701"}),
        "21.00 ILS in instalments",
        "28.03 ILS or 21.02 ILS in instalments, in attempt 1",
        "instalments attempt 1",
    ),
]


@pytest.mark.parametrize(("document", "expected", "found", "subject"), DESCRIBED)
def test_discrepancy_says_what_was_expected_and_found(
    document: dict[str, Any], expected: str, found: str, subject: str
) -> None:
    (discrepancy,) = reconcile(read(document), TERMS)

    assert (discrepancy.expected, discrepancy.found, discrepancy.subject) == (expected, found, subject)


def test_more_attempts_do_not_change_ids_of_the_deciding_attempt() -> None:
    wrong = payment({"total": "0.5"}, type="charge", amount=0, session_id="another")
    attempts = wrong["payments"] * 3

    alone, all_three = (
        by_id("process-1", reconcile(read(changed("payments", sent)), TERMS)) for sent in (attempts[:1], attempts)
    )

    assert {key: all_three[key] for key in alone} == alone
    assert [(each.code, each.subject) for key, each in all_three.items() if key not in alone] == [
        (code, f"{part}attempt {number}")
        for number in (1, 2)
        for code, part in ((C.UNKNOWN_SESSION, ""), (C.BAD_AMOUNT, ""), (C.BAD_AMOUNT, "total "))
    ]


def test_card_number_in_place_of_a_transaction_id_is_masked() -> None:
    document = payment(transaction_id="4580458045804580", session_id=None)
    document["data"] += [{"type": "payment", "value": number} for number in ("4580458045811111", "4580458045821111")]

    found = reconcile(read(document), TERMS)

    assert [(each.transaction_id, each.subject) for each in found] == [
        ("************4580", "payment[0]"),
        ("************4580", "payment[0]"),
        (PAYMENT, "data[3]"),
        ("************1111", "data[5]"),
        ("************1111", "data[6]"),
    ]


def test_an_archive_has_a_bounded_number_of_discrepancies() -> None:
    found = reconcile(read(sample_document() | {"payments": [{}] * 3000}), TERMS)

    assert Counter(each.code for each in found).most_common(1)[0][1] == 200
    assert [each.found for each in found if each.subject == "more"] == ["2801 more"] * 4
