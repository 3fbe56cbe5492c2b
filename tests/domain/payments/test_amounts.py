"""Amounts are integers of minor units, and read in each documented form."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.payments.amounts import Amounts, Instalments, amounts_of, exponent_of, instalments_of, minor_units
from models.payments import Attempt
from models.said import Sentence
from tests.domain.payloads import IN_MAJOR_UNITS, TERMS

ATTEMPT = Attempt("t", "s", "charge", "success", Decimal(2100), "ILS", Decimal(2100), None, None, None)
INT64 = 1 << 63


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, Amounts(2100, 2100, 2, None)),
        ({"amount": Decimal(-5), "type": "refund"}, Amounts(-5, 2100, 2, None)),
        ({"amount": Decimal(0), "type": "verify_credit_card"}, Amounts(0, 2100, 2, None)),
        ({"amount": Decimal(0)}, Amounts(None, 2100, 2, Sentence.not_positive)),
        ({"amount": Decimal(0), "status": "failure"}, Amounts(0, 2100, 2, None)),
        ({"amount": None}, Amounts(None, 2100, 2, Sentence.not_a_number)),
        ({"currency": "NIS"}, Amounts(2100, 2100, None, None)),
        ({"currency": None, "amount": Decimal("21.5")}, Amounts(None, 2100, None, Sentence.fraction_of_amount)),
        ({"provider_total": Decimal("0.5")}, Amounts(2100, None, 2, None)),
    ],
)
def test_amount_is_read_in_minor_units_or_has_a_fault(members: dict[str, Any], expected: Amounts) -> None:
    assert amounts_of(replace(ATTEMPT, **members), TERMS) == expected


@pytest.mark.parametrize(
    ("amount", "fault"),
    [
        ("0.5", None),  # whole minor units in some currencies only
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


@pytest.mark.parametrize(
    ("number", "first", "periodical", "total", "expected"),
    [
        (3, 700, 700, 2100, Instalments(3, 700, 700, ())),  # the count includes the first
        (2, 700, 700, 2100, Instalments(3, 700, 700, ())),  # the count excludes the first
        (1, 2100, None, 2100, Instalments(1, 2100, None, ())),
        (1, 2100, 0, 2100, Instalments(1, 2100, 0, ())),
        (3, 0, 700, 2100, Instalments(3, 0, 700, ())),  # no different first instalment
        (3, None, 700, 2100, Instalments(3, None, 700, ())),
        (3, 700, None, 2100, Instalments(3, 700, None, ())),  # nothing to add up
        (None, None, None, 2100, Instalments(None, None, None, ())),
        (0, 0, 0, 2100, Instalments(None, 0, 0, ())),
        (-1, 2100, 0, 2100, Instalments(None, 2100, 0, ())),
        (3, 700, 701, 2100, Instalments(3, 700, 701, (2803, 2102))),
        (4, 0, 700, 2100, Instalments(4, 0, 700, (2800,))),  # one too many, even without a first instalment
        (10**12, 0, 5, 2100, Instalments(None, 0, 5, (5 * 10**12,))),
        (3, 800, 650, None, Instalments(3, 800, 650, ())),  # compared with the amount
        (2, None, 0, 0, Instalments(None, None, 0, ())),
    ],
)
def test_instalments_are_read_so_that_they_add_up(
    number: int | None, first: int | None, periodical: int | None, total: int | None, expected: Instalments
) -> None:
    names = ("number_of_payments", "first_payment", "periodical_payment", "provider_total")
    sent = zip(names, (number, first, periodical, total), strict=True)
    members: dict[str, Any] = {name: None if each is None else Decimal(each) for name, each in sent}
    attempt = replace(ATTEMPT, **members)

    assert instalments_of(attempt, amounts_of(attempt, TERMS)) == expected
    assert instalments_of(attempt, Amounts(None, None, 2, Sentence.not_a_number)).sums_minor == ()


@pytest.mark.parametrize(
    ("currency", "exponent"),
    [("ILS", 2), ("JPY", 0), ("KWD", 3), *((each, None) for each in (None, "", "ils", "NIS", "XAU", "376", " ILS"))],
)
def test_currency_has_the_exponent_of_iso_4217(currency: str | None, exponent: int | None) -> None:
    assert exponent_of(currency) == exponent


@pytest.mark.parametrize(
    ("amount", "exponent", "minor", "major"),
    [
        ("21.00", 2, 21, 2100),
        ("21.5", 2, None, 2150),
        ("21.005", 2, None, None),
        ("-3", 0, -3, -3),
        ("0.29", 2, None, 29),  # a float would give 28
        (str(INT64 - 1), 2, INT64 - 1, None),
        (str(INT64), 0, None, None),
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
    assert minor_units(Decimal(amount_minor).scaleb(-exponent), exponent, "major") == amount_minor
