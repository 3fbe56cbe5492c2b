"""What does not add up between payments, form and sessions: each finding has a case, and near misses."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.money import AmountUnit
from domain.reconciliation import Amounts, amounts_of, reconcile, standing_of
from models.discrepancy import DiscrepancyCode
from models.payment import Payment, Standing
from tests.domain.payloads import changed, read
from tests.samples import sample_document

FIELD = {"type": "payment", "id": "another"}


def codes(document: dict[str, Any], unit: AmountUnit = "minor") -> list[str]:
    archive = read(document)
    return [each.code for each in reconcile(archive.payments, archive.fields, archive.sessions, unit)]


def payment(**members: Any) -> Payment:
    sent: dict[str, Any] = {
        "transaction_id": "t",
        "session_id": "s",
        "type": "charge",
        "status": "success",
        "amount": Decimal(2100),
        "currency": "ILS",
        "provider_total": Decimal(2100),
        "provider_reference": None,
        "card_mask": None,
        "card_brand": None,
    }
    return Payment(**sent | members)


RESULT = "payments.0.provider_transaction_result"
FIRES = [
    ("AMOUNT_MISMATCH", "payments.0.amount", 2101),
    ("AMOUNT_MISMATCH", f"{RESULT}.total", "2099"),
    ("AMOUNT_MISMATCH", "payments.0.amount", 0),
    ("BAD_AMOUNT", "payments.0.amount", None),
    ("BAD_AMOUNT", "payments.0.amount", "a lot"),
    ("BAD_AMOUNT", "payments.0.amount", 21.5),
    ("BAD_AMOUNT", "payments.0.amount", 1 << 63),
    ("BAD_CURRENCY", f"{RESULT}.currency", None),
    ("BAD_CURRENCY", f"{RESULT}.currency", "NIS"),
    ("BAD_CURRENCY", f"{RESULT}.currency", "XAU"),
    ("FIELD_WITHOUT_PAYMENT", "data.0", FIELD | {"value": "no such transaction"}),
    ("PAYMENT_WITHOUT_FIELD", "data.3.type", "text"),
    ("PAYMENT_WITHOUT_FIELD", "data.3.value", None),
    ("UNIT_MISMATCH", "payments.0.amount", 21),
    ("UNIT_MISMATCH", "payments.0.amount", 210000),
    ("UNKNOWN_SESSION", "payments.0.session_id", "another"),
    ("UNKNOWN_SESSION", "payments.0.session_id", None),
    ("UNKNOWN_SESSION", "sessions", []),
]
NEAR_MISSES = [
    ("payments.0.amount", "2100"),
    ("payments.0.amount", 2100.0),
    (f"{RESULT}.total", 2100),
    (f"{RESULT}.total", "2100.00"),
    (f"{RESULT}.total", None),
    (f"{RESULT}.total", "unknown"),
    (f"{RESULT}.currency", "USD"),
    ("data.0", FIELD | {"value": ""}),  # a payment that the client did not make
    ("data.0", FIELD | {"value": " "}),
    ("data.0", FIELD | {"value": None}),
    ("data.0", FIELD | {"value": "4a45b2df-f7bd-48bf-a2b4-b8405eb51194"}),  # two fields of one payment
    ("data.0", {"type": "text", "value": "no such transaction"}),
    ("payments.0.status", "failed"),
    ("payments.0.type", "charge"),
]


def test_sample_adds_up() -> None:
    assert codes(sample_document()) == []


@pytest.mark.parametrize(("code", "path", "value"), FIRES)
def test_discrepancy_is_found_once(code: str, path: str, value: Any) -> None:
    assert codes(changed(path, value)) == [code]


@pytest.mark.parametrize(("path", "value"), NEAR_MISSES)
def test_near_miss_is_no_discrepancy(path: str, value: Any) -> None:
    assert codes(changed(path, value)) == []


def test_every_code_has_a_case() -> None:
    assert {code for code, *_ in FIRES} == set(DiscrepancyCode)


def test_payment_and_field_that_miss_each_other_are_two_findings() -> None:
    assert codes(changed("payments.0.transaction_id", "x")) == ["PAYMENT_WITHOUT_FIELD", "FIELD_WITHOUT_PAYMENT"]


def test_finding_tells_the_transaction_and_amounts_in_minor_units() -> None:
    archive = read(changed("payments.0.amount", 2500))

    (found,) = reconcile(archive.payments, archive.fields, archive.sessions, "minor")

    assert (found.transaction_id, found.expected, found.found) == (
        "4a45b2df-f7bd-48bf-a2b4-b8405eb51194",
        "21.00 ILS",
        "25.00 ILS",
    )


@pytest.mark.parametrize(
    ("amount", "total", "currency", "expected"),
    [
        (21, "2100", "ILS", []),
        (21.5, "2150", "ILS", []),
        (2100, "2100", "ILS", ["UNIT_MISMATCH"]),
        (2100, "2100", "JPY", []),  # no minor unit: the two settings are the same
        (2.1, "2100", "KWD", []),
        (21.005, "2100", "ILS", ["BAD_AMOUNT"]),
        (22, "2100", "ILS", ["AMOUNT_MISMATCH"]),
    ],
)
def test_amount_may_be_set_to_come_in_major_units(amount: Any, total: str, currency: str, expected: list[str]) -> None:
    document = changed("payments.0.amount", amount)
    document["payments"][0]["provider_transaction_result"] |= {"total": total, "currency": currency}

    assert codes(document, "major") == expected


@pytest.mark.parametrize(
    ("status", "kind", "standing"),
    [
        ("success", "charge", Standing.CHARGED),
        ("success", "verify_credit_card", Standing.VERIFIED),
        ("success", "hold", Standing.HELD),
        ("success", "refund", Standing.UNKNOWN),
        ("success", None, Standing.UNKNOWN),
        ("Success", "charge", Standing.FAILED),
        ("failed", "charge", Standing.FAILED),
        ("failed", "refund", Standing.FAILED),
        (None, "charge", Standing.UNKNOWN),
    ],
)
def test_standing_is_never_guessed(status: str | None, kind: str | None, standing: Standing) -> None:
    assert standing_of(payment(status=status, type=kind)) is standing


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, Amounts(2100, 2100, 2, None)),
        ({"amount": Decimal(-5), "type": "refund"}, Amounts(-5, 2100, 2, None)),
        ({"amount": Decimal(0), "type": "verify_credit_card"}, Amounts(0, 2100, 2, None)),
        ({"currency": None}, Amounts(None, 2100, None, None)),
        ({"provider_total": Decimal("0.5")}, Amounts(2100, None, 2, None)),
    ],
)
def test_amounts(members: dict[str, Any], expected: Amounts) -> None:
    assert amounts_of(payment(**members), "minor") == expected


@pytest.mark.parametrize("amount", [0, -2100])
def test_charge_of_nothing_or_less_is_a_bad_amount(amount: int) -> None:
    charge = payment(amount=Decimal(amount), provider_total=None, transaction_id=None, session_id=None)

    assert [each.code for each in reconcile([charge], [], [], "minor")][-1] == "BAD_AMOUNT"


@settings(deadline=None)
@given(st.integers(1, (1 << 63) - 1), st.integers(1, (1 << 63) - 1))
def test_two_amounts_agree_only_when_they_are_equal(amount: int, total: int) -> None:
    found = reconcile([payment(amount=Decimal(amount), provider_total=Decimal(total))], [], [], "minor")

    assert ({"AMOUNT_MISMATCH", "UNIT_MISMATCH"} & {each.code for each in found} == set()) == (amount == total)
