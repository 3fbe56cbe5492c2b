"""Authorisation numbers are equal in every spelling, and different numbers stay different."""

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
def test_different_numbers_are_never_the_same(one: int, other: int, zeros: int) -> None:
    assert (plain_authorisation(f"{one:0{zeros}}") == plain_authorisation(str(other))) == (one == other)
