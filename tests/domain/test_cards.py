"""Card numbers are masked, masks and ids are left alone."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.cards import expiry_month, last_four, masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("4580458045804580", "************4580"),
        ("4580 4580 4580 4580", "**** **** **** 4580"),
        ("378282246310005", "***********0005"),
        ("458045******4580", "458045******4580"),
        ("xxxxxxxxxxxx4580", "xxxxxxxxxxxx4580"),
        ("4a45b2df-f7bd-48bf-a2b4-b8405eb51194", "4a45b2df-f7bd-48bf-a2b4-b8405eb51194"),
        ("123456789012", "123456789012"),
        ("", ""),
    ],
)
def test_only_the_last_four_digits_of_a_card_number_are_shown(text: str, shown: str) -> None:
    assert masked(text) == shown


@given(st.from_regex(r"[0-9]{13,19}", fullmatch=True))
def test_no_card_number_comes_through(number: str) -> None:
    assert masked(number) == "*" * (len(number) - 4) + number[-4:]


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("xxxxxxxxxxxx4580", "4580"),
        ("458045******4580", "4580"),
        ("4580458045801234", "1234"),
        (" 4580 ", "4580"),
        ("458045******", None),
        ("458", None),
        ("٤٥٨٠", None),
        ("", None),
        (None, None),
    ],
)
def test_last_four_digits_are_those_at_the_end(text: str | None, digits: str | None) -> None:
    assert last_four(text) == digits


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("0724", date(2024, 7, 1)),
        ("12/30", date(2030, 12, 1)),
        ("0000", None),
        ("1324", None),
        ("724", None),
        ("072024", None),
        ("", None),
        (None, None),
    ],
)
def test_expiry_is_a_month_or_nothing(text: str | None, month: date | None) -> None:
    assert expiry_month(text) == month
