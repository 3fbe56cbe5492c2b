"""Numbers of authorisations are the same however they are spelled, and no others are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.payments.identity import plain_authorisation


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
def test_two_numbers_are_the_same_only_if_they_are_equal(one: int, other: int, zeros: int) -> None:
    assert (plain_authorisation(f"{one:0{zeros}}") == plain_authorisation(str(other))) == (one == other)
