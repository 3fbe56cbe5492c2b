"""Each payment has one standing, decided by its attempts; holds grow old, and duplicates are found."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

import pytest

from domain.payments.duplicates import Booked, duplicates
from domain.payments.identity import plain_authorisation
from domain.payments.standing import Hold, aging_holds, deciding, standing_of
from models.payments import Attempt, Payment, PaymentType, Standing
from tests.domain.payloads import TERMS

ATTEMPT = Attempt("t", "s", "charge", "success", None, None, None, None, None, None, authorisation="1579133")


@pytest.mark.parametrize(
    ("status", "kind", "authorisation", "standing"),
    [
        ("success", "charge", "1", Standing.CHARGED),
        ("Success ", "charge", "1", Standing.CHARGED),
        ("success", "charge", None, Standing.UNKNOWN),
        ("success", "verify_credit_card", None, Standing.VERIFIED),
        ("success", "hold", None, Standing.HELD),
        ("success", "refund", "1", Standing.UNKNOWN),
        ("success", "Charge", "1", Standing.UNKNOWN),
        ("success", None, "1", Standing.UNKNOWN),
        ("failure", "charge", None, Standing.FAILED),
        ("Failed ", "refund", "1", Standing.FAILED),
        ("Declined", "charge", "1", Standing.FAILED),
        ("pending", "charge", "1", Standing.UNKNOWN),
        ("", "charge", "1", Standing.UNKNOWN),
        (None, "charge", "1", Standing.UNKNOWN),
    ],
)
def test_standing_is_never_guessed(
    status: str | None, kind: str | None, authorisation: str | None, standing: Standing
) -> None:
    attempt = replace(ATTEMPT, status=status, type=kind, authorisation=authorisation)

    assert standing_of(attempt, TERMS) is standing


@pytest.mark.parametrize(
    ("status", "results", "standing"),
    [
        ("success", {}, Standing.CHARGED),
        ("success", {"result": ""}, Standing.CHARGED),
        ("success", {"result": " 000 "}, Standing.CHARGED),
        ("success", {"result": "OK", "code": "00"}, Standing.CHARGED),
        ("success", {"result": "000", "code": "51"}, Standing.UNKNOWN),
        ("success", {"result": "0"}, Standing.UNKNOWN),
        ("failure", {"result": "000"}, Standing.FAILED),
        ("pending", {"result": "000"}, Standing.UNKNOWN),
    ],
)
def test_success_that_any_result_of_the_provider_contradicts_is_unknown(
    status: str, results: dict[str, str], standing: Standing
) -> None:
    terms = replace(TERMS, results={"result": frozenset({"000", "ok"}), "code": frozenset({"00"})})

    assert standing_of(replace(ATTEMPT, status=status, results=results), terms) is standing


def test_configured_payment_types_decide() -> None:
    terms = replace(TERMS, types={"sale": PaymentType(Standing.CHARGED, needs_authorisation=False)})

    standings = [standing_of(replace(ATTEMPT, type=kind, authorisation=None), terms) for kind in ("sale", "charge")]

    assert standings == [Standing.CHARGED, Standing.UNKNOWN]


FAILED = replace(ATTEMPT, status="failure")
UNKNOWN = replace(ATTEMPT, status="pending")
VERIFIED = replace(ATTEMPT, type="verify_credit_card")
HELD = replace(ATTEMPT, type="hold")


@pytest.mark.parametrize(
    ("attempts", "decides"),
    [
        ([VERIFIED, FAILED], 0),
        ([UNKNOWN, VERIFIED], 0),
        ([HELD, UNKNOWN], 0),
        ([ATTEMPT, HELD], 0),
        ([FAILED, UNKNOWN], 1),
        ([HELD, ATTEMPT, HELD], 1),
        ([ATTEMPT, replace(ATTEMPT, authorisation="2"), FAILED], 1),
    ],
)
def test_last_attempt_of_the_strongest_standing_decides(attempts: list[Attempt], decides: int) -> None:
    assert deciding(Payment(tuple(attempts)), TERMS) is attempts[decides]


TODAY = date(2026, 3, 10)


@pytest.mark.parametrize(("days_ago", "hold_days", "is_old"), [(8, 7, True), (1, 0, True), (7, 7, False)])
def test_hold_is_old_after_the_configured_days(days_ago: int, hold_days: int, *, is_old: bool) -> None:
    held = Hold("t", "p", TODAY - timedelta(days=days_ago))

    assert [each.code for each in aging_holds([held], TODAY, hold_days)] == ["AGING_HOLD"] * is_old


def test_aging_hold_reads_the_same_every_day() -> None:
    held = [Hold("t", "p", date(2026, 1, 1)), Hold(None, "q", date(2026, 1, 1))]

    aging = aging_holds(held, TODAY, 7)

    assert aging == aging_holds(held, TODAY + timedelta(days=1), 7)
    assert [(each.transaction_id, each.found, each.subject) for each in aging] == [
        ("t", "held since 2026-01-01", ""),
        (None, "held since 2026-01-01", "q"),
    ]


@pytest.mark.parametrize(
    ("text", "plain"),
    [("0123456", "123456"), (" 012 3456\t", "123456"), ("00A12b", "a12b"), ("100", "100"), ("000", "0"), ("", "")],
)
def test_authorisation_number_is_the_same_in_every_spelling(text: str, plain: str) -> None:
    assert plain_authorisation(text) == plain


T, P = "DUPLICATE_TRANSACTION", "DUPLICATE_PROVIDER_TRANSACTION"


@pytest.mark.parametrize(
    ("own", "others", "expected"),
    [
        ("r t f", ["a t g"], {T: "also in a"}),
        ("r t -", ["b t -", "a t -"], {T: "also in a, b"}),
        ("r t f", ["a t f"], {T: "also in a"}),  # the same provider transaction is no second finding
        ("r t -", ["e t -", "d t -", "c t -", "b t -"], {T: "also in b, c, d and others"}),
        ("r t f", ["r u f"], {P: "also in r"}),
        ("r t f", ["a u f", "b - f"], {P: "also in a, b"}),
        ("r - f", ["a - f"], {P: "also in a"}),
        ("r t f", ["a t g", "b u f"], {T: "also in a", P: "also in b"}),
        ("r t f", ["r t g", "r t f"], {}),  # attempts at one payment
        ("r t f", ["a u g"], {}),
        ("r - -", ["a - -"], {}),
        ("r t -", ["a u -"], {}),
    ],
)
def test_payment_elsewhere_or_under_another_transaction_is_a_duplicate(
    own: str, others: list[str], expected: Mapping[str, str]
) -> None:
    by_transaction, by_provider = defaultdict[str, list[Booked]](list), defaultdict[str, list[Booked]](list)
    for each in map(booked, (own, *others)):
        if each.transaction_id:
            by_transaction[each.transaction_id].append(each)
        if each.cguid_fingerprint:
            by_provider[each.cguid_fingerprint].append(each)

    found = duplicates([booked(own)], by_transaction, by_provider)

    assert [(each.code, each.found) for each in found] == list(expected.items())


def booked(text: str) -> Booked:
    """Return a payment from `reference transaction fingerprint`; `-` means none."""
    reference, transaction_id, fingerprint = (None if part == "-" else part for part in text.split())
    return Booked(str(reference), f"id of {text}", transaction_id, fingerprint)


def test_card_number_in_place_of_a_transaction_id_is_masked() -> None:
    own, other = (Booked(reference, reference, "4580458045804580", None) for reference in "ra")

    (duplicate,) = duplicates([own], {"4580458045804580": [own, other]}, {})

    assert duplicate.transaction_id == "************4580"
