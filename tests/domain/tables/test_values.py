"""Values of form fields are read as the narrowest type that they spell, and columns take the type of nearly all."""

import string
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.tables.values import Seen, UnfitError, narrowest, takes, text_of, typed, wider
from models.tables import ColumnType

TEXT, INTEGER, DECIMAL, DATE, BOOLEAN, CHOICE = list(ColumnType)[:6]
DAY = date(2026, 3, 5)
SPELLED: Sequence[tuple[Any, ColumnType | None, Any]] = [
    (None, None, None),
    ("", None, None),
    (" \u200f\xa0", None, None),
    ([], None, None),
    ({}, None, None),
    (True, BOOLEAN, True),
    ("True", BOOLEAN, True),
    ("off", BOOLEAN, False),
    ("כן", BOOLEAN, True),
    ("\u200fלא ", BOOLEAN, False),
    (1, INTEGER, 1),
    (0, INTEGER, 0),
    ("0", INTEGER, 0),
    ("-1,234,567", INTEGER, -1_234_567),
    ("\u202a12\u202c", INTEGER, 12),
    ("₪1,234", INTEGER, 1234),
    ('12 ש"ח', INTEGER, 12),
    ("9223372036854775807", INTEGER, (1 << 63) - 1),
    ("9223372036854775808", DECIMAL, Decimal(1 << 63)),
    (1 << 63, DECIMAL, Decimal(1 << 63)),
    (12.5, DECIMAL, Decimal("12.5")),
    (Decimal("12.50"), DECIMAL, Decimal("12.5")),
    ("1,234.50 ₪", DECIMAL, Decimal("1234.5")),
    ("-0.000000000000000001", DECIMAL, Decimal("-1e-18")),
    ("2026-03-05", DATE, DAY),
    ("5/3/2026", DATE, DAY),
    ("05.03.2026", DATE, DAY),
    ("05-03-2026", DATE, DAY),
    ("5 במרץ 2026", DATE, DAY),
    ("5 ב-מרס 2026", DATE, DAY),
    ("5 March 2026", DATE, DAY),
    ("29.2.2024", DATE, date(2024, 2, 29)),
    *(
        (text, TEXT, text)
        for text in (
            *("007", "-01", "050-1234567", "+972501234567", "1,23", "1,2345", "0,123", "1.234,5", ".5", "5.", "1e5"),
            *("12₪34", "₪", "$5", "12%", "٣", "٣٫٥", "½", "1 234", "9" * 21, f"0.{'1' * 19}", "NaN", "Infinity"),
            *("29.2.2025", "12/31/2026", "5/3.2026", "5.3.26", "5 באב תשפ״ו", "ט״ו", "0999-01-01", "2026-03-05T00:00"),
            *("1,5", "נועה לוי", "-", "--1", "truee", "😀", "x" * 10_000, "1" * 10_000),
        )
    ),
    (["a", "ב"], TEXT, '["a", "ב"]'),
    ({"a": 1}, TEXT, '{"a": 1}'),
    (Decimal("1E+400"), TEXT, "1E+400"),
]


@pytest.mark.parametrize(("value", "type_", "expected"), SPELLED, ids=lambda each: repr(each)[:20])
def test_value_has_the_narrowest_type_that_it_spells(value: Any, type_: ColumnType | None, expected: Any) -> None:
    assert narrowest(value) == (type_, expected)
    assert type(narrowest(value)[1]) is type(expected)


ANY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.dates(date(1000, 1, 1)).map(str),
    st.text(string.digits + "-,./ ₪אב\u200f", max_size=12),
    st.text(max_size=30),
    st.lists(st.text(max_size=3), max_size=2),
)
SCALAR = st.sampled_from([TEXT, INTEGER, DECIMAL, DATE, BOOLEAN])


@given(ANY)
def test_what_was_read_prints_to_the_same_value(value: Any) -> None:
    type_, found = narrowest(value)
    if type_ is DECIMAL:
        assert isinstance(found, Decimal)
        assert typed(f"{found:f}", DECIMAL) == found
    elif type_ is not None:
        assert narrowest(text_of(found) if isinstance(found, str) else str(found)) == (type_, found)


@given(ANY, SCALAR, SCALAR)
def test_wider_type_takes_all_that_a_narrower_one_takes(value: Any, one: ColumnType, other: ColumnType) -> None:
    wide = wider(one, other)
    assert wide is not None
    assert wide == wider(other, one)
    assert [takes(wide, one), takes(wide, other), wider(wide, one)] == [True, True, wide]
    try:
        narrow = typed(value, one)
    except UnfitError:
        return
    assert narrow is None or typed(value, wide) is not None


@given(st.lists(ANY, max_size=30))
def test_type_takes_nearly_all_values_in_any_order(values: list[Any]) -> None:
    seen, reverse = Seen(), Seen()
    seen.add(None, values)
    reverse.add(None, reversed(values))

    assert seen.type == reverse.type
    for each in values:
        if seen.type is None:
            assert narrowest(each)[0] is None
        else:
            typed(each, seen.type)  # fewer than a hundred values fit all


COLUMNS: Sequence[tuple[str | None, Sequence[Any], ColumnType | None]] = [
    (None, ["2026-03-05", "5/3/2026", "5 במרץ 2026"], DATE),
    (None, ["1,234", "7", 8], INTEGER),
    (None, ["1,234", "7.5"], DECIMAL),
    (None, ["1", "n/a"], TEXT),
    (None, [*["1"] * 99, "n/a"], INTEGER),
    (None, [*["1"] * 199, "7.50"], DECIMAL),  # an amount is never lost to a narrower type of numbers
    (None, [*map(str, range(98)), "n/a", "-"], TEXT),
    (None, ["1", "2026-03-05"], TEXT),
    (None, ["true", "false", ""], BOOLEAN),
    (None, ["true", "1"], TEXT),
    ("select", ["12", "24"], INTEGER),
    ("select", ["Haifa"], CHOICE),
    (None, ["Haifa"], TEXT),
    (None, ["Haifa", "Jaffa"] * 4, CHOICE),
    ("select", [f"city {each}" for each in range(21)] * 9, TEXT),
    (None, ["", None, []], None),
]


@pytest.mark.parametrize(("declared", "values", "expected"), COLUMNS)
def test_column_has_the_type_of_nearly_all_values(
    declared: str | None, values: Sequence[Any], expected: ColumnType | None
) -> None:
    seen = Seen()
    seen.add(declared, values)
    assert seen.type == expected


def test_choice_and_numbers_widen_to_text_and_nothing_narrows() -> None:
    assert [wider(CHOICE, each) for each in (CHOICE, TEXT, INTEGER)] == [CHOICE, TEXT, TEXT]
    assert [wider(each, INTEGER) for each in (None, DECIMAL, TEXT, DATE)] == [INTEGER, DECIMAL, TEXT, TEXT]
