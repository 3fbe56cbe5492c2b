"""Each payment has one standing, decided by its attempts; holds grow old, and duplicates are found."""

from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.payments.duplicates import Booked, duplicates
from domain.payments.identity import plain_authorisation
from domain.payments.standing import Hold, aging_holds, deciding, standing_of
from models.payments import Attempt, Payment, PaymentTerms, PaymentType, Standing
from tests.domain.payloads import TERMS

ATTEMPT = Attempt("t", "s", "charge", "success", None, None, None, None, None, None, authorisation="1579133")


@pytest.mark.parametrize(
    ("status", "kind", "authorisation", "standing"),
    [
        ("success", "charge", "1", Standing.CHARGED),
        ("success", "charge", None, Standing.UNKNOWN),
        ("success", "verify_credit_card", None, Standing.VERIFIED),
        ("success", "hold", None, Standing.HELD),
        ("success", "hold", "1", Standing.HELD),
        ("success", "refund", "1", Standing.UNKNOWN),
        ("success", "Charge", "1", Standing.UNKNOWN),
        ("success", None, "1", Standing.UNKNOWN),
        ("failure", "charge", None, Standing.FAILED),
        ("failed", "charge", "1", Standing.FAILED),
        ("Failed ", "refund", None, Standing.FAILED),
        ("pending", "charge", "1", Standing.UNKNOWN),
        ("Success ", "charge", "1", Standing.CHARGED),
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
        ("success", {"result": "000"}, Standing.CHARGED),
        ("success", {"result": " 000 "}, Standing.CHARGED),
        ("success", {}, Standing.CHARGED),
        ("success", {"result": ""}, Standing.CHARGED),
        ("success", {"result": "033"}, Standing.UNKNOWN),
        ("success", {"result": "0"}, Standing.UNKNOWN),
        ("failure", {"result": "033"}, Standing.FAILED),
        ("failure", {"result": "000"}, Standing.FAILED),
        ("pending", {"result": "000"}, Standing.UNKNOWN),
    ],
)
def test_success_contradicted_by_the_provider_result_is_unknown(
    status: str, results: dict[str, str], standing: Standing
) -> None:
    assert standing_of(replace(ATTEMPT, status=status, results=results), TERMS) is standing


def test_every_result_member_must_report_success() -> None:
    terms = replace(TERMS, results={"result": frozenset({"000", "ok"}), "code": frozenset({"00"})})

    standings = [
        standing_of(replace(ATTEMPT, results=results), terms)
        for results in ({"result": "OK"}, {"result": "000", "code": "00"}, {"result": "000", "code": "51"})
    ]

    assert standings == [Standing.CHARGED, Standing.CHARGED, Standing.UNKNOWN]


def test_configured_payment_types_and_the_status_decide() -> None:
    types = {"sale": PaymentType(Standing.CHARGED, needs_authorisation=False)}
    terms: PaymentTerms = replace(TERMS, types=types)
    attempts = [("sale", "Success"), ("charge", "success"), ("sale", "Declined"), ("sale", "failure"), ("sale", "yes")]

    standings = [
        standing_of(replace(ATTEMPT, type=kind, status=status, authorisation=None), terms) for kind, status in attempts
    ]

    assert standings == [Standing.CHARGED, Standing.UNKNOWN, Standing.FAILED, Standing.FAILED, Standing.UNKNOWN]


FAILED = replace(ATTEMPT, status="failure")
UNKNOWN = replace(ATTEMPT, status="pending")
VERIFIED = replace(ATTEMPT, type="verify_credit_card")
HELD = replace(ATTEMPT, type="hold")


@pytest.mark.parametrize(
    ("attempts", "decides"),
    [
        ([FAILED, ATTEMPT], 1),
        ([ATTEMPT, FAILED], 0),
        ([FAILED, UNKNOWN], 1),
        ([UNKNOWN, VERIFIED], 0),
        ([VERIFIED, UNKNOWN], 1),
        ([UNKNOWN, HELD], 1),
        ([HELD, VERIFIED], 0),
        ([HELD, ATTEMPT, HELD], 1),
        ([ATTEMPT, replace(ATTEMPT, authorisation="2"), FAILED], 1),
        ([FAILED, replace(FAILED, authorisation=None)], 1),
    ],
)
def test_last_attempt_of_the_strongest_standing_decides(attempts: list[Attempt], decides: int) -> None:
    assert deciding(Payment(tuple(attempts)), TERMS) is attempts[decides]


@given(st.lists(st.sampled_from([FAILED, UNKNOWN, VERIFIED, HELD, ATTEMPT]), min_size=1, max_size=6))
def test_no_attempt_is_stronger_than_the_deciding_attempt(attempts: list[Attempt]) -> None:
    strength = [Standing.FAILED, Standing.VERIFIED, Standing.UNKNOWN, Standing.HELD, Standing.CHARGED]

    decided = deciding(Payment(tuple(attempts)), TERMS)

    assert decided in attempts
    assert strength.index(standing_of(decided, TERMS)) == max(
        strength.index(standing_of(each, TERMS)) for each in attempts
    )


TODAY = date(2026, 3, 10)
HOLDS = [(8, 7, True), (9, 7, True), (400, 7, True), (1, 0, True), (7, 7, False), (0, 0, False), (-1, 7, False)]


@pytest.mark.parametrize(("days_ago", "hold_days", "fires"), HOLDS)
def test_hold_is_old_after_the_configured_days(days_ago: int, hold_days: int, fires: bool) -> None:
    held = Hold("t", "p", TODAY - timedelta(days=days_ago))

    assert [each.code for each in aging_holds([held], TODAY, hold_days)] == ["AGING_HOLD"] * fires


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
    [
        ("0123456", "123456"),
        ("123456", "123456"),
        (" 012 3456\t", "123456"),
        ("00A12b", "a12b"),
        ("100", "100"),
        ("000", "0"),
        ("", ""),
    ],
)
def test_number_is_the_same_in_every_spelling(text: str, plain: str) -> None:
    assert plain_authorisation(text) == plain


@given(st.integers(0), st.integers(0), st.integers(0, 9))
def test_different_numbers_are_never_the_same(one: int, other: int, zeros: int) -> None:
    assert (plain_authorisation(f"{one:0{zeros}}") == plain_authorisation(str(other))) == (one == other)


def booked(text: str) -> Booked:
    """Return a payment from `reference transaction fingerprint`; `-` means none."""
    reference, transaction_id, fingerprint = (None if part == "-" else part for part in text.split())
    return Booked(str(reference), f"id of {text}", transaction_id, fingerprint)


def found(own: str, *others: str) -> list[tuple[str, str]]:
    """Return codes and named archives of the duplicates of a payment of `r` among `others`."""
    mine, all_booked = booked(own), [booked(text) for text in (own, *others)]
    by_transaction, by_provider = defaultdict[str, list[Booked]](list), defaultdict[str, list[Booked]](list)
    for each in all_booked:
        by_transaction[each.transaction_id or ""].append(each)
        by_provider[each.cguid_fingerprint or ""].append(each)
    by_transaction.pop("", None)
    by_provider.pop("", None)
    return [(each.code, each.found) for each in duplicates([mine], by_transaction, by_provider)]


FIRES = [
    ("DUPLICATE_TRANSACTION", "r t f", ["a t g"], "also in a"),
    ("DUPLICATE_TRANSACTION", "r t -", ["b t -", "a t -"], "also in a, b"),
    ("DUPLICATE_TRANSACTION", "r t f", ["a t f"], "also in a"),  # the same provider transaction is no second finding
    ("DUPLICATE_TRANSACTION", "r t -", ["e t -", "d t -", "c t -", "b t -"], "also in b, c, d and others"),
    ("DUPLICATE_PROVIDER_TRANSACTION", "r t f", ["r u f"], "also in r"),
    ("DUPLICATE_PROVIDER_TRANSACTION", "r t f", ["a u f", "b v f"], "also in a, b"),
    ("DUPLICATE_PROVIDER_TRANSACTION", "r t f", ["a - f"], "also in a"),
    ("DUPLICATE_PROVIDER_TRANSACTION", "r - f", ["a - f"], "also in a"),
]
NEAR_MISSES = [
    ("DUPLICATE_TRANSACTION", "r t f", []),
    ("DUPLICATE_TRANSACTION", "r t f", ["r t g"]),  # attempts at one payment
    ("DUPLICATE_TRANSACTION", "r t -", ["a u -"]),
    ("DUPLICATE_TRANSACTION", "r - -", ["a - -"]),
    ("DUPLICATE_PROVIDER_TRANSACTION", "r t f", ["a u g"]),
    ("DUPLICATE_PROVIDER_TRANSACTION", "r t f", ["r t f"]),  # attempts at one payment
    ("DUPLICATE_PROVIDER_TRANSACTION", "r t -", ["a u -"]),
]


@pytest.mark.parametrize(("code", "own", "others", "expected"), FIRES)
def test_duplicate_is_reported_once(code: str, own: str, others: list[str], expected: str) -> None:
    assert found(own, *others) == [(code, expected)]


@pytest.mark.parametrize(("code", "own", "others"), NEAR_MISSES)
def test_near_miss_is_not_a_duplicate(code: str, own: str, others: list[str]) -> None:
    assert (code, found(own, *others)) == (code, [])


def test_payment_may_have_both_kinds_of_duplicates() -> None:
    assert found("r t f", "a t g", "b u f") == [
        ("DUPLICATE_TRANSACTION", "also in a"),
        ("DUPLICATE_PROVIDER_TRANSACTION", "also in b"),
    ]


def test_card_number_in_place_of_a_transaction_id_is_masked() -> None:
    own, other = (Booked(reference, reference, "4580458045804580", None) for reference in "ra")

    (duplicate,) = duplicates([own], {"4580458045804580": [own, other]}, {})

    assert duplicate.transaction_id == "************4580"
