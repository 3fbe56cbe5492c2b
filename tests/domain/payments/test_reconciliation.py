"""Finds what does not add up between payments and form. Each code has cases and a sentence."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.payments.booking import booked
from domain.payments.discrepancies import by_id, sentence, told
from domain.payments.reconciliation import reconcile, vanished
from models.discrepancies import Discrepancy, DiscrepancyCode
from models.payments import PaymentTerms
from tests.domain.payloads import IN_MAJOR_UNITS, TERMS, changed, read
from tests.domain.payments import test_standing
from tests.domain.settlements import test_matching
from tests.samples import sample_document

C = DiscrepancyCode

PAYMENT = "4a45b2df-f7bd-48bf-a2b4-b8405eb51194"


@dataclass(frozen=True)
class Case:
    """A document and the code of each discrepancy in it. A near miss of `about` lacks that code."""

    about: DiscrepancyCode
    document: dict[str, Any]
    found: Sequence[DiscrepancyCode]
    terms: PaymentTerms = TERMS


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


def attempts(*statuses: str) -> dict[str, Any]:
    """Return the sample with a charge for each status at one transaction. Only successes are authorised."""
    document = payment(type="charge")
    (attempt,) = document["payments"]
    result = attempt["provider_transaction_result"]
    document["payments"] = [
        attempt
        | {"status": status}
        | {"provider_transaction_result": result | ({} if status == "success" else {"auth_number": ""})}
        for status in statuses
    ]
    return document


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


CASES = [
    Case(C.AMOUNT_MISMATCH, payment(amount=2101), [C.AMOUNT_MISMATCH]),
    Case(C.AMOUNT_MISMATCH, payment({"total": "2099"}), [C.AMOUNT_MISMATCH]),
    Case(C.AMOUNT_MISMATCH, payment(amount=0), [C.AMOUNT_MISMATCH]),
    Case(C.AMOUNT_MISMATCH, payment({"total": "210000", "currency": "JPY"}), [C.AMOUNT_MISMATCH]),
    Case(C.AMOUNT_MISMATCH, payment(amount=22), [C.AMOUNT_MISMATCH], IN_MAJOR_UNITS),
    Case(C.AMOUNT_MISMATCH, instalments("3", "700", "701"), [C.AMOUNT_MISMATCH]),
    Case(C.AMOUNT_MISMATCH, payment(amount="2100"), []),
    Case(C.AMOUNT_MISMATCH, payment(amount=2100.0), []),
    Case(C.AMOUNT_MISMATCH, payment({"total": 2100}), []),
    Case(C.AMOUNT_MISMATCH, payment({"total": "2100.00"}), []),
    Case(C.AMOUNT_MISMATCH, payment({"total": None}), []),
    Case(C.AMOUNT_MISMATCH, payment({"total": "unknown"}), []),
    Case(C.AMOUNT_MISMATCH, instalments("3", "700", "700"), []),
    Case(C.AMOUNT_MISMATCH, instalments("2", "700", "700"), []),
    Case(C.AMOUNT_MISMATCH, instalments("", "", ""), []),
    Case(C.AMOUNT_MISMATCH, beside_success(amount=2101), [C.AMOUNT_MISMATCH]),
    Case(C.AMOUNT_MISMATCH, beside_success({"total": "2099"}, type="hold"), [C.AMOUNT_MISMATCH]),
    Case(C.AMOUNT_MISMATCH, beside_success({"numberOfPayments": "3", "periodicalPayment": "9"}), [C.AMOUNT_MISMATCH]),
    Case(C.AMOUNT_MISMATCH, beside_success({"total": "1000"}, amount=1000), []),  # each compared with its own total
    Case(C.AMOUNT_MISMATCH, beside_success({"auth_number": ""}, amount=2101, status="failure"), []),
    Case(C.AMOUNT_MISMATCH, beside_success(amount=2101, status="pending"), []),
    Case(C.AMOUNT_MISMATCH, beside_success(amount=2101, type="verify_credit_card"), []),
    Case(C.BAD_AMOUNT, payment(amount=None), [C.BAD_AMOUNT]),
    Case(C.BAD_AMOUNT, payment(amount="a lot"), [C.BAD_AMOUNT]),
    Case(C.BAD_AMOUNT, payment(amount=21.5), [C.BAD_AMOUNT]),
    Case(C.BAD_AMOUNT, payment(amount=21.005), [C.BAD_AMOUNT], IN_MAJOR_UNITS),
    Case(C.BAD_AMOUNT, payment(amount=1 << 63), [C.BAD_AMOUNT]),
    Case(C.BAD_AMOUNT, payment(amount=0, type="charge"), [C.BAD_AMOUNT]),
    Case(C.BAD_AMOUNT, payment(amount=-2100, type="charge"), [C.BAD_AMOUNT]),
    Case(C.BAD_AMOUNT, payment({"total": "0.5"}), [C.BAD_AMOUNT]),
    Case(C.BAD_AMOUNT, payment({"total": "0.5"}, amount=21.5), [C.BAD_AMOUNT, C.BAD_AMOUNT]),
    Case(C.BAD_AMOUNT, payment({"auth_number": ""}, amount=21.5, status="failure"), [C.BAD_AMOUNT]),
    Case(C.BAD_AMOUNT, payment({"auth_number": ""}, amount=None, status="failure"), []),
    Case(C.BAD_AMOUNT, payment({"currency": "NIS"}, amount=0, type="charge"), [C.BAD_CURRENCY, C.BAD_AMOUNT]),
    Case(C.BAD_AMOUNT, payment({"currency": None}, amount=-2100, type="charge"), [C.BAD_CURRENCY, C.BAD_AMOUNT]),
    Case(C.BAD_AMOUNT, payment({"currency": "NIS"}, amount=1 << 63), [C.BAD_CURRENCY, C.BAD_AMOUNT]),
    Case(C.BAD_AMOUNT, payment({"currency": "NIS"}, amount=21.5), [C.BAD_CURRENCY, C.BAD_AMOUNT]),
    Case(C.BAD_AMOUNT, payment({"currency": "NIS"}, amount=21.5), [C.BAD_CURRENCY], IN_MAJOR_UNITS),
    Case(C.BAD_AMOUNT, payment({"currency": "NIS"}, amount=0), [C.BAD_CURRENCY, C.AMOUNT_MISMATCH]),
    Case(C.BAD_AMOUNT, payment({"currency": "NIS"}, type="charge"), [C.BAD_CURRENCY]),
    Case(C.BAD_AMOUNT, payment({"total": "0"}, amount=0), []),  # of a verification
    Case(C.BAD_AMOUNT, payment(amount=2100.0), []),
    Case(C.BAD_AMOUNT, payment({"total": "2150"}, amount=21.5), [], IN_MAJOR_UNITS),
    Case(C.BAD_AMOUNT, beside_success(amount=0), [C.BAD_AMOUNT]),
    Case(C.BAD_AMOUNT, beside_success({"total": "0.5"}, amount=None), [C.BAD_AMOUNT, C.BAD_AMOUNT]),
    Case(C.BAD_AMOUNT, beside_success({"total": "0"}, amount=0, type="hold"), []),
    Case(C.BAD_AMOUNT, beside_success(amount=None, status="pending"), []),
    Case(C.BAD_CURRENCY, payment({"currency": None}), [C.BAD_CURRENCY]),
    Case(C.BAD_CURRENCY, payment({"currency": "NIS"}), [C.BAD_CURRENCY]),
    Case(C.BAD_CURRENCY, payment({"currency": "XAU"}), [C.BAD_CURRENCY]),
    Case(C.BAD_CURRENCY, payment({"currency": "NIS", "auth_number": ""}, status="failure"), [C.BAD_CURRENCY]),
    Case(C.BAD_CURRENCY, payment(provider_transaction_result=None), [C.BAD_CURRENCY]),
    Case(C.BAD_CURRENCY, payment(provider_transaction_result=None, status="failure"), []),
    Case(C.BAD_CURRENCY, payment({"currency": "USD"}), []),
    Case(C.BAD_CURRENCY, beside_success({"currency": "NIS"}), [C.BAD_CURRENCY]),
    Case(C.BAD_CURRENCY, beside_success({"currency": "USD"}), []),
    Case(C.BAD_CURRENCY, beside_success(provider_transaction_result=None, status="pending"), []),
    Case(C.CARD_CONFLICT, payment({"card_no": "xxxxxxxxxxxx4581"}), [C.CARD_CONFLICT]),
    Case(C.CARD_CONFLICT, payment({"card_mask": "458045******0000"}), [C.CARD_CONFLICT]),
    Case(C.CARD_CONFLICT, payment({"card_no": "1234567812345678"}), [C.CARD_CONFLICT]),
    Case(C.CARD_CONFLICT, payment({"card_no": "4580"}), []),
    Case(C.CARD_CONFLICT, payment({"card_no": ""}), []),
    Case(C.CARD_CONFLICT, payment({"card_mask": "458045******"}), []),
    Case(C.CARD_CONFLICT, beside_success({"card_no": "xxxxxxxxxxxx4581"}), [C.CARD_CONFLICT]),
    Case(C.CARD_CONFLICT, beside_success({"card_no": "1111", "card_mask": "458045******1111"}), []),
    Case(C.CARD_EXPIRED, payment({"card_expiration": "1122"}), [C.CARD_EXPIRED]),
    Case(C.CARD_EXPIRED, payment({"card_expiration": "12/21"}), [C.CARD_EXPIRED]),
    Case(C.CARD_EXPIRED, payment({"card_expiration": "1122"}, session_id="x"), [C.UNKNOWN_SESSION, C.CARD_EXPIRED]),
    Case(C.CARD_EXPIRED, payment({"card_expiration": "1222"}), []),  # to the end of the month
    Case(C.CARD_EXPIRED, payment({"card_expiration": "2212"}), []),
    Case(C.CARD_EXPIRED, beside_success({"card_expiration": "1122"}, type="hold"), [C.CARD_EXPIRED]),
    Case(C.CARD_EXPIRED, beside_success({"card_expiration": "1222"}), []),
    Case(C.CARD_EXPIRED, beside_success({"card_expiration": "1122", "auth_number": ""}, status="failure"), []),
    Case(C.CARD_EXPIRED, payment({"card_expiration": "1122", "auth_number": ""}, status="failure"), []),
    Case(C.FIELD_WITHOUT_PAYMENT, field("no such transaction"), [C.FIELD_WITHOUT_PAYMENT]),
    Case(C.FIELD_WITHOUT_PAYMENT, field(17), [C.FIELD_WITHOUT_PAYMENT]),
    Case(C.FIELD_WITHOUT_PAYMENT, field(17.5), [C.FIELD_WITHOUT_PAYMENT]),
    Case(C.FIELD_WITHOUT_PAYMENT, field([PAYMENT]), [C.FIELD_WITHOUT_PAYMENT]),
    Case(C.FIELD_WITHOUT_PAYMENT, field({"transaction_id": PAYMENT}), [C.FIELD_WITHOUT_PAYMENT]),
    Case(
        C.FIELD_WITHOUT_PAYMENT,
        field([PAYMENT]) | {"payments": [sample_document()["payments"][0] | {"transaction_id": None}]},
        [C.PAYMENT_WITHOUT_FIELD, C.FIELD_WITHOUT_PAYMENT, C.FIELD_WITHOUT_PAYMENT],
    ),
    Case(
        C.FIELD_WITHOUT_PAYMENT,
        payment(transaction_id="x"),
        [C.PAYMENT_WITHOUT_FIELD, C.FIELD_WITHOUT_PAYMENT],
    ),
    Case(C.FIELD_WITHOUT_PAYMENT, field(""), []),  # the client did not pay
    Case(C.FIELD_WITHOUT_PAYMENT, field(" "), []),
    Case(C.FIELD_WITHOUT_PAYMENT, field(None), []),
    Case(C.FIELD_WITHOUT_PAYMENT, field([]), []),
    Case(C.FIELD_WITHOUT_PAYMENT, field({}), []),
    Case(C.FIELD_WITHOUT_PAYMENT, field(["a list"], type="text"), []),
    Case(C.FIELD_WITHOUT_PAYMENT, field(True), []),
    Case(C.FIELD_WITHOUT_PAYMENT, field(PAYMENT), []),  # two fields name one payment
    Case(C.FIELD_WITHOUT_PAYMENT, field("no such transaction", type="text"), []),
    Case(C.PAYMENT_WITHOUT_FIELD, changed("data.3.type", "text"), [C.PAYMENT_WITHOUT_FIELD]),
    Case(C.PAYMENT_WITHOUT_FIELD, changed("data.3.value", None), [C.PAYMENT_WITHOUT_FIELD]),
    Case(
        C.PAYMENT_WITHOUT_FIELD,
        payment(transaction_id=None),
        [C.PAYMENT_WITHOUT_FIELD, C.FIELD_WITHOUT_PAYMENT],
    ),
    Case(C.PAYMENT_WITHOUT_FIELD, changed("data.3.value", f" {PAYMENT} "), []),
    Case(C.PAYMENT_WITHOUT_FIELD, attempts("failure", "success"), []),
    Case(
        C.PAYMENT_WITHOUT_FIELD,
        payment({"auth_number": ""}, status="failure", transaction_id="x"),
        [C.FIELD_WITHOUT_PAYMENT],
    ),
    Case(C.STATUS_CONFLICT, payment({"auth_number": ""}, type="charge"), [C.STATUS_CONFLICT]),
    Case(C.STATUS_CONFLICT, payment({"auth_number": None}, type="charge"), [C.STATUS_CONFLICT]),
    Case(C.STATUS_CONFLICT, payment(status="failure"), [C.STATUS_CONFLICT]),
    Case(C.STATUS_CONFLICT, payment(status="failed", type="refund"), [C.STATUS_CONFLICT]),
    Case(C.STATUS_CONFLICT, payment({"result": "033"}, type="charge"), [C.STATUS_CONFLICT]),
    Case(C.STATUS_CONFLICT, payment({"Result": 33}, type="refund", status="Success"), [C.STATUS_CONFLICT]),
    Case(C.STATUS_CONFLICT, payment({"result": "033", "auth_number": ""}, type="charge"), [C.STATUS_CONFLICT]),
    Case(C.STATUS_CONFLICT, payment({"result": "000"}, type="charge"), []),
    Case(C.STATUS_CONFLICT, payment({"result": " "}, type="charge"), []),
    Case(C.STATUS_CONFLICT, payment({"result": "033"}, status="pending"), []),
    Case(C.STATUS_CONFLICT, payment({"result": "033", "auth_number": ""}, status="failure"), []),
    Case(C.STATUS_CONFLICT, payment(type="charge"), []),
    Case(C.STATUS_CONFLICT, payment({"auth_number": ""}), []),  # of a verification
    Case(C.STATUS_CONFLICT, payment({"auth_number": ""}, status="failure"), []),
    Case(C.STATUS_CONFLICT, payment(status="pending"), []),
    Case(C.STATUS_CONFLICT, attempts("failure", "failed", "success"), []),
    Case(C.STATUS_CONFLICT, beside_success({"auth_number": ""}), [C.STATUS_CONFLICT]),
    Case(C.STATUS_CONFLICT, beside_success({"result": "033"}), [C.STATUS_CONFLICT]),
    Case(C.STATUS_CONFLICT, beside_success(status="failure"), [C.STATUS_CONFLICT]),
    Case(C.STATUS_CONFLICT, beside_success({"auth_number": ""}, type="hold"), []),
    Case(C.UNIT_MISMATCH, payment(amount=21), [C.UNIT_MISMATCH]),
    Case(C.UNIT_MISMATCH, payment(amount=210000), [C.UNIT_MISMATCH]),
    Case(C.UNIT_MISMATCH, payment({"total": "-2100"}, amount=-21), [C.UNIT_MISMATCH]),
    Case(C.UNIT_MISMATCH, payment(), [C.UNIT_MISMATCH], IN_MAJOR_UNITS),
    Case(C.UNIT_MISMATCH, payment({"total": "2100000", "currency": "KWD"}), [C.UNIT_MISMATCH]),
    Case(C.UNIT_MISMATCH, payment({"currency": "JPY"}), [], IN_MAJOR_UNITS),  # without minor units both readings agree
    Case(C.UNIT_MISMATCH, payment({"total": "2100", "currency": "KWD"}, amount=2.1), [], IN_MAJOR_UNITS),
    Case(C.UNIT_MISMATCH, payment(amount=210), [C.AMOUNT_MISMATCH]),
    Case(C.UNIT_MISMATCH, beside_success(amount=21), [C.UNIT_MISMATCH]),
    Case(C.UNIT_MISMATCH, beside_success({"total": "21"}, amount=21), []),
    Case(C.UNIT_MISMATCH, payment({"total": "0"}), [C.AMOUNT_MISMATCH]),
    Case(C.UNKNOWN_SESSION, payment(session_id="another"), [C.UNKNOWN_SESSION]),
    Case(C.UNKNOWN_SESSION, payment(session_id=None), [C.UNKNOWN_SESSION]),
    Case(C.UNKNOWN_SESSION, changed("sessions", []), [C.UNKNOWN_SESSION]),
    Case(C.UNKNOWN_SESSION, beside_success(session_id="another"), [C.UNKNOWN_SESSION]),
    Case(C.UNKNOWN_SESSION, beside_success(session_id="another", status="failure"), [C.STATUS_CONFLICT]),
    Case(C.UNKNOWN_SESSION, changed("sessions.0.submitted_at", None), []),
    Case(C.UNKNOWN_SESSION, in_sessions("2", "1", "2"), []),
    Case(C.UNKNOWN_SESSION, in_sessions("7", 7), []),  # ids come as numbers and as text
    Case(C.UNKNOWN_SESSION, in_sessions(7, "7"), []),
    Case(C.UNKNOWN_SESSION, in_sessions("07", 7), [C.UNKNOWN_SESSION]),
    Case(C.UNKNOWN_SESSION, in_sessions("3", "1", "2"), [C.UNKNOWN_SESSION]),
    Case(C.UNKNOWN_SESSION, in_sessions(None, None), [C.UNKNOWN_SESSION]),
]


def codes(document: dict[str, Any], terms: PaymentTerms = TERMS) -> list[DiscrepancyCode]:
    return [each.code for each in reconcile(read(document), terms)]


def test_sample_has_no_discrepancies() -> None:
    assert codes(sample_document()) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.about)
def test_case_has_exactly_the_expected_discrepancies(case: Case) -> None:
    assert codes(case.document, case.terms) == list(case.found)


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
    ([CHARGE, CHARGE], WITHOUT, [PAYMENT]),
    ([NAMELESS], WITHOUT, [None]),
    ([CHARGE], payment({"cguid": "2"}, type="charge", transaction_id="another"), [PAYMENT]),
    ([CHARGE], CHARGE, []),
    ([WITHOUT], CHARGE, []),
    ([CHARGE], payment(type="charge", status="failed"), []),  # present, but no longer charged
    ([CHARGE], NAMELESS, []),  # same provider transaction
    ([NAMELESS], tried_again("success"), []),  # likewise, in an attempt that does not decide
    ([NAMELESS], tried_again("failure"), []),
    ([tried_again("success"), NAMELESS], WITHOUT, [PAYMENT]),
    ([payment()], WITHOUT, []),  # only verified
    ([payment(type="hold")], WITHOUT, []),
    ([payment({"auth_number": ""}, type="charge", status="failed")], WITHOUT, []),
    ([SECRETLESS], WITHOUT, []),  # cannot be identified
    ([], WITHOUT, []),
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
    (
        instalments("3", "700", "701"),
        "21.00 ILS in instalments",
        "28.03 ILS or 21.02 ILS in instalments",
        "instalments",
    ),
    (payment({"card_no": "1234567812345678"}), "a card that ends in 4580", "a card that ends in 5678", ""),
    (payment({"card_expiration": "1122"}), "a card valid in 2022-12", "valid until 2022-11", ""),
    (payment({"total": "x.5"}, amount=None), "an amount in whole minor units", "missing or not a number", ""),
    (field("4580458045804580"), "a payment", "none", "data[0]"),
    (field({"name": "Dana"}), "a payment", "none", "data[0]"),
    (payment({"result": "033"}), "a success with the result 000", "a success with the result 033", ""),
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
    (beside_success(amount=2500), "21.00 ILS", "25.00 ILS, in attempt 1", "attempt 1"),
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


@given(st.integers(1, (1 << 63) - 1), st.integers(1, (1 << 63) - 1))
def test_amounts_agree_only_when_they_are_equal(amount: int, total: int) -> None:
    archive = read(payment(type="charge"))
    (attempt,) = archive.payments[0].attempts
    sent = replace(attempt, amount=Decimal(amount), provider_total=Decimal(total))

    found = reconcile(replace(archive, payments=(replace(archive.payments[0], attempts=(sent,)),)), TERMS)

    assert ({C.AMOUNT_MISMATCH, C.UNIT_MISMATCH} & {each.code for each in found} == set()) == (amount == total)


def test_an_archive_has_a_bounded_number_of_discrepancies() -> None:
    found = reconcile(read(sample_document() | {"payments": [{}] * 3000}), TERMS)

    assert Counter(each.code for each in found).most_common(1)[0][1] == 200
    assert [each.found for each in found if each.subject == "more"] == ["2801 more"] * 4


def cases() -> Iterator[tuple[str, bool]]:
    """Yield the code of each case, and whether the case fires it."""
    yield from ((case.about, case.about in case.found) for case in CASES)
    yield from ((DiscrepancyCode.PAYMENT_VANISHED, bool(gone)) for *_, gone in VERSIONS)
    yield from ((code, True) for code, *_ in test_standing.FIRES)
    yield from ((code, False) for code, *_ in test_standing.NEAR_MISSES)
    yield from ((DiscrepancyCode.AGING_HOLD, fires) for *_, fires in test_standing.HOLDS)
    yield from ((case.code, case.fires) for case in test_matching.CASES)


COUNTED = Counter(cases())


@pytest.mark.parametrize("code", DiscrepancyCode)
def test_code_has_three_cases_including_a_near_miss(code: DiscrepancyCode) -> None:
    fires, near_misses = COUNTED[code, True], COUNTED[code, False]

    assert (fires >= 2, near_misses >= 1, fires + near_misses >= 3) == (True, True, True)


def test_cases_are_about_known_codes_only() -> None:
    assert {code for code, _ in COUNTED} == set(DiscrepancyCode)


@pytest.mark.parametrize("code", list(DiscrepancyCode))
def test_every_code_has_a_sentence_of_its_own(code: DiscrepancyCode) -> None:
    text = sentence(code, "THIS", "THAT")

    assert text.endswith(" Expected: THIS. Found: THAT.")
    assert [each for each in DiscrepancyCode if sentence(each, "THIS", "THAT") == text] == [code]


def test_code_may_be_plain_text() -> None:
    assert sentence("AMOUNT_MISMATCH", "21.00 ILS", "25.00 ILS") == (
        "The amount of the payment differs from the amount that the provider states. "
        "Expected: 21.00 ILS. Found: 25.00 ILS."
    )


TRANSACTION_ID = "4a45b2df-f7bd-48bf-a2b4-b8405eb51194"


@pytest.mark.parametrize(
    ("code", "transaction_id", "shown"),
    [
        ("FIELD_WITHOUT_PAYMENT", TRANSACTION_ID, TRANSACTION_ID),
        ("FIELD_WITHOUT_PAYMENT", TRANSACTION_ID.upper(), TRANSACTION_ID.upper()),
        ("FIELD_WITHOUT_PAYMENT", "Dana Levi, 054-1234567", None),
        ("FIELD_WITHOUT_PAYMENT", f"{TRANSACTION_ID} Dana", None),
        ("FIELD_WITHOUT_PAYMENT", "039337423", None),
        ("FIELD_WITHOUT_PAYMENT", None, None),
        ("AMOUNT_MISMATCH", "tx 7", "tx 7"),
        ("AMOUNT_MISMATCH", "x" * 10_000_000, "x" * 100),
        ("MISSING_IN_ARCHIVE", None, None),
    ],
)
def test_only_transaction_ids_are_shown_of_payment_fields(
    code: str, transaction_id: str | None, shown: str | None
) -> None:
    assert told(Discrepancy(DiscrepancyCode(code), transaction_id, "", ""))["transaction_id"] == shown
