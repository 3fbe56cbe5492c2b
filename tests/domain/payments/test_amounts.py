"""Amounts are integers of minor units, and read in each documented form."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.payments.amounts import (
    Amounts,
    Instalments,
    amounts_of,
    exponent_of,
    instalments_of,
    minor_units,
)
from models.payments import Attempt
from models.said import Sentence
from tests.domain.payloads import IN_MAJOR_UNITS, TERMS

ATTEMPT = Attempt("t", "s", "charge", "success", Decimal(2100), "ILS", Decimal(2100), None, None, None)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, Amounts(2100, 2100, 2, None)),
        ({"amount": Decimal("2100.0")}, Amounts(2100, 2100, 2, None)),
        ({"amount": Decimal(-5), "type": "refund"}, Amounts(-5, 2100, 2, None)),
        ({"amount": Decimal(0), "type": "verify_credit_card"}, Amounts(0, 2100, 2, None)),
        ({"amount": Decimal(0)}, Amounts(None, 2100, 2, Sentence.not_positive)),
        ({"amount": Decimal(0), "status": "failure"}, Amounts(0, 2100, 2, None)),
        ({"amount": None}, Amounts(None, 2100, 2, Sentence.not_a_number)),
        ({"currency": None}, Amounts(2100, 2100, None, None)),
        ({"currency": "NIS"}, Amounts(2100, 2100, None, None)),
        ({"currency": None, "amount": Decimal("21.5")}, Amounts(None, 2100, None, Sentence.fraction_of_amount)),
        ({"currency": None, "amount": Decimal(-1)}, Amounts(None, 2100, None, Sentence.not_positive)),
        ({"provider_total": Decimal("0.5")}, Amounts(2100, None, 2, None)),
    ],
)
def test_amounts(members: dict[str, Any], expected: Amounts) -> None:
    assert amounts_of(replace(ATTEMPT, **members), TERMS) == expected


@pytest.mark.parametrize(
    ("amount", "fault"),
    [
        ("21.5", None),  # whole minor units in some currencies only
        ("0.5", None),
        ("9223372036854775807.5", None),
        ("9223372036854775808", Sentence.fraction_of_amount),
        ("1e400", Sentence.fraction_of_amount),
        ("-0.5", Sentence.not_positive),
        ("0", Sentence.not_positive),
    ],
)
def test_major_amount_of_unknown_currency_has_only_faults_common_to_all_currencies(
    amount: str, fault: Sentence | None
) -> None:
    attempt = replace(ATTEMPT, currency="NIS", amount=Decimal(amount))

    assert amounts_of(attempt, IN_MAJOR_UNITS) == Amounts(None, 2100, None, fault)


def decimal(number: int | None) -> Decimal | None:
    return None if number is None else Decimal(number)


@pytest.mark.parametrize(
    ("number", "first", "periodical", "expected"),
    [
        (3, 700, 700, Instalments(3, 700, 700, ())),  # the count includes the first
        (2, 700, 700, Instalments(3, 700, 700, ())),  # the count excludes the first
        (1, 2100, None, Instalments(1, 2100, None, ())),
        (1, 2100, 0, Instalments(1, 2100, 0, ())),
        (3, 0, 700, Instalments(3, 0, 700, ())),  # no different first instalment
        (3, None, 700, Instalments(3, None, 700, ())),
        (3, 700, None, Instalments(3, 700, None, ())),  # nothing to add up
        (None, None, None, Instalments(None, None, None, ())),
        (0, 0, 0, Instalments(None, 0, 0, ())),
        (-1, 2100, 0, Instalments(None, 2100, 0, ())),
        (3, 700, 701, Instalments(3, 700, 701, (2803, 2102))),
        (4, 0, 700, Instalments(4, 0, 700, (2800,))),  # one too many, even without a first instalment
        (4, None, 700, Instalments(4, None, 700, (2800,))),
        (2, None, 2100, Instalments(2, None, 2100, (4200,))),
        (10**12, 0, 5, Instalments(None, 0, 5, (5 * 10**12,))),
    ],
)
def test_instalments_are_read_so_that_they_add_up(
    number: int | None, first: int | None, periodical: int | None, expected: Instalments
) -> None:
    attempt = replace(
        ATTEMPT,
        number_of_payments=decimal(number),
        first_payment=decimal(first),
        periodical_payment=decimal(periodical),
    )

    assert instalments_of(attempt, amounts_of(attempt, TERMS)) == expected


def test_instalments_are_compared_with_the_amount_without_a_provider_total() -> None:
    attempt = replace(
        ATTEMPT,
        provider_total=None,
        number_of_payments=Decimal(3),
        first_payment=Decimal(800),
        periodical_payment=Decimal(650),
    )

    assert instalments_of(attempt, amounts_of(attempt, TERMS)).count == 3
    assert instalments_of(attempt, Amounts(None, None, 2, Sentence.not_a_number)).sums_minor == ()


def test_payment_of_zero_has_no_instalments() -> None:
    attempt = replace(ATTEMPT, provider_total=Decimal(0), number_of_payments=Decimal(2), periodical_payment=Decimal(0))

    assert instalments_of(attempt, amounts_of(attempt, TERMS)) == Instalments(None, None, 0, ())


@given(st.integers(1, 100), st.integers(1, 10**9), st.integers(1, 10**9), st.booleans())
def test_instalment_count_is_the_same_with_or_without_the_first_in_it(
    beside: int, first: int, periodical: int, includes_first: bool
) -> None:
    attempt = replace(
        ATTEMPT,
        provider_total=Decimal(first + beside * periodical),
        number_of_payments=Decimal(beside + includes_first),
        first_payment=Decimal(first),
        periodical_payment=Decimal(periodical),
    )

    assert instalments_of(attempt, amounts_of(attempt, TERMS)).count == beside + 1


INT64 = 1 << 63


@pytest.mark.parametrize(("currency", "exponent"), [("ILS", 2), ("JPY", 0), ("KWD", 3), ("USD", 2), ("CLF", 4)])
def test_currency_has_the_exponent_of_iso_4217(currency: str, exponent: int) -> None:
    assert exponent_of(currency) == exponent


@pytest.mark.parametrize("currency", [None, "", "ils", "NIS", "₪", "XAU", "XXX", "376", " ILS"])
def test_unknown_currency_has_no_exponent(currency: str | None) -> None:
    assert exponent_of(currency) is None


@pytest.mark.parametrize(
    ("amount", "exponent", "minor", "major"),
    [
        ("2100", 2, 2100, 210000),
        ("21.00", 2, 21, 2100),
        ("21.5", 2, None, 2150),
        ("21.005", 2, None, None),
        ("21.005", 3, None, 21005),
        ("-3", 0, -3, -3),
        ("0.1", 2, None, 10),
        ("0.29", 2, None, 29),  # a float would give 28
        ("1e3", 0, 1000, 1000),
        (str(INT64 - 1), 0, INT64 - 1, INT64 - 1),
        (str(INT64), 0, None, None),
        (str(INT64 - 1), 2, INT64 - 1, None),
        ("1e299", 2, None, None),
        ("21." + "0" * 2000 + "1", 2, None, None),  # never rounded, at any length
    ],
)
def test_amount_is_in_whole_minor_units_or_none(
    amount: str, exponent: int, minor: int | None, major: int | None
) -> None:
    assert minor_units(Decimal(amount), exponent, "minor") == minor
    assert minor_units(Decimal(amount), exponent, "major") == major


@given(st.integers(-(INT64 - 1), INT64 - 1), st.sampled_from([0, 2, 3, 4]))
def test_minor_units_survive_the_way_through_major_units(amount_minor: int, exponent: int) -> None:
    as_major = Decimal(amount_minor).scaleb(-exponent)

    assert minor_units(as_major, exponent, "major") == amount_minor


@given(st.integers(-(INT64 - 1), INT64 - 1), st.integers(1, 99), st.integers(3, 300))
def test_tiniest_fraction_is_never_rounded_away(whole: int, fraction: int, digits: int) -> None:
    text = f"{whole}.{'0' * digits}{fraction:02}"

    assert minor_units(Decimal(text), 2, "minor") is None
    assert minor_units(Decimal(text), 2, "major") is None
