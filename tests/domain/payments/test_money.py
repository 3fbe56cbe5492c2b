"""Money: whole minor units, exact at any length."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.payments.amounts import exponent_of, minor_units

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
