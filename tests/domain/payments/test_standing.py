"""Standing: follows from status, type, result and authorisation, never from a guess. The strongest attempt decides."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.payments.standing import deciding, standing_of
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


def test_configured_payment_types_and_statuses_decide() -> None:
    types = {"sale": PaymentType(Standing.CHARGED, needs_authorisation=False)}
    terms: PaymentTerms = replace(TERMS, types=types, successes=frozenset({"yes"}), failures=frozenset({"no"}))
    attempts = [("sale", "Yes"), ("charge", "yes"), ("sale", "no"), ("sale", "failure"), ("sale", "success")]

    standings = [
        standing_of(replace(ATTEMPT, type=kind, status=status, authorisation=None), terms) for kind, status in attempts
    ]

    assert standings == [Standing.CHARGED, Standing.UNKNOWN, Standing.FAILED, Standing.UNKNOWN, Standing.UNKNOWN]


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
