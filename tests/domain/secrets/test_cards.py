"""Card numbers are masked. Masks and ids are unchanged."""

from datetime import date
from decimal import Decimal
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.secrets.cards import expiry_month, has_card_number, last_four, masked, number_text, without_card_numbers


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("4580458045804580", "************4580"),
        ("4580 4580 4580 4580", "**** **** **** 4580"),
        ("378282246310005", "***********0005"),
        ("458045******4580", "458045******4580"),
        ("4580\u00a04580\u00a04580\u00a04580", "****\u00a0****\u00a0****\u00a04580"),
        ("\u200f4580\u200e4580\u20134580\u20604580", "\u200f****\u200e****\u2013****\u20604580"),
        ("4580  4580  4580  4580", "****  ****  ****  4580"),
        ("xxxxxxxxxxxx4580", "xxxxxxxxxxxx4580"),
        ("4a45b2df-f7bd-48bf-a2b4-b8405eb51194", "4a45b2df-f7bd-48bf-a2b4-b8405eb51194"),
        ("123456789012", "123456789012"),
        ("", ""),
    ],
)
def test_only_the_last_four_digits_of_a_card_number_are_shown(text: str, shown: str) -> None:
    assert masked(text) == shown


@given(st.from_regex(r"[0-9]{13,19}", fullmatch=True))
def test_no_card_number_remains(number: str) -> None:
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
def test_last_four_digits_are_at_the_end(text: str | None, digits: str | None) -> None:
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
def test_expiry_is_a_month_or_none(text: str | None, month: date | None) -> None:
    assert expiry_month(text) == month


VISA, MASTERCARD, AMEX, DINERS = "4580458045804580", "5555555555554444", "378282246310005", "30569309025904"


def luhn_digit(digits: str) -> str:
    """Return the check digit of a number: from the right, every second digit doubled. Source: ISO/IEC 7812, annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 if place % 2 else 2)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


@pytest.mark.parametrize(
    "text",
    [
        VISA,
        "4222222222222",
        "4000056655665556676",
        MASTERCARD,
        "2221000000000009",
        "2720990000000007",
        AMEX,
        DINERS,
        "36148900647913",
        "6011111111111117",
        "6500000000000002",
        "6440000000000005",
        "3530111333300000",
        "6200000000000005",
        "5018000000000009",
        "5600000000000003",
        "4580 4580 4580 4580",
        "3782-822463-10005",
        "4580 - 4580 - 4580 - 4580",
        "4580\u00a04580\u20114580\u200e4580",
        "4580\ufeff4580\u20604580\u202a4580",
        "4580.4580.4580.4580",
        "4580/4580/4580/4580",
        "45804580-4580 4580",
        "4000 0566 5566 5556 676",
        "3056-930902-5904",
        "6304000000000000",
        "6759649826438453",
        "6762000000000005",
        "6390000000000005",
        "2200000000000004",
        "2204000000000000",
        "4 5 8 0 4 5 8 0 4 5 8 0 4 5 8 0",
        "45 80 45 80 45 80 45 80",
        f"{VISA} 12/29 123",
        f"12 {VISA}",
        f"my card:{VISA}, thanks",
        f"\u05db\u05e8\u05d8\u05d9\u05e1{VISA}",
        "\u0664\u0665\u0668\u0660" * 4,
        "1 " * 2000,
    ],
)
def test_card_number_is_found_in_any_notation(text: str) -> None:
    assert has_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "4580458045804581",  # wrong check digit
        "1080131215624580",  # a provider's token, without an issuer's prefix
        "1700000000004",  # a time in milliseconds with a valid check digit
        "5900000000000000",
        "2721000000000004",
        "2220990000000002",
        "458045804580",
        "45804580458045804580",
        "458045******4580",
        "4a45b2df-f7bd-48bf-a2b4-b8405eb51194",
        "050-1234567 052-7654321",
        "33.4580458045804580,35.54",
        "IL62 0108 0000 0009 9999 999",
        "DE02 3704 0044 0532 0107",  # card number within an IBAN
        "332211445 0521234567",
        "45804 58045804580",
        "458045 8045804580",
        "4.5.8.0.4.5.8.0.4.5.8.0.4.5.8.0",
        "45/80/45/80/45/80/45/80",
        "4 5 8-0 4 5 8 0 4 5 8 0 4 5 8 0",
        "4580,4580,4580,4580",
        "",
    ],
)
def test_other_numbers_are_not_card_numbers(text: str) -> None:
    assert not has_card_number(text)
    assert without_card_numbers(text) == text


@given(
    st.sampled_from(
        ["4", "50", "51", "55", "2221", "2720", "34", "37", "300", "36", "6011", "65", "649", "3528", "62"]
    ),
    st.text("0123456789", min_size=14, max_size=14),
    st.integers(13, 19),
    st.sampled_from([(19,), (4, 4, 4, 4, 3), (1,) * 19, (2,) * 10]),
    st.sampled_from([" ", "-", "\u00a0", " - ", "\u2060"]),
    st.tuples(st.sampled_from(["", "card ", "a1b", "\u05d0"]), st.sampled_from(["", ".", " x", "\u05d0"])),
)
def test_every_card_number_is_masked_except_its_last_four_digits(
    prefix: str, rest: str, size: int, groups: tuple[int, ...], between: str, around: tuple[str, str]
) -> None:
    number = (prefix + rest + "0000")[: size - 1]
    number += luhn_digit(number)
    if groups[0] == 4 and size < 16:
        groups = (19,)  # no card is printed like this
    ends = list(accumulate(groups))
    parts = [number[end - group : end] for group, end in zip(groups, ends, strict=True)]
    written = between.join(part for part in parts if part)

    before, behind = around
    shown = without_card_numbers(before + written + behind)

    assert has_card_number(before + written + behind)
    assert sum(each.isdigit() for each in shown.removeprefix(before)) == 4
    assert len(shown) == len(before + written + behind)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (int(VISA), "************4580"),
        (float(VISA), "************4580"),
        ([VISA, 1, None, True, 1.5], ["************4580", 1, None, True, 1.5]),
        ({VISA: {"a": AMEX}}, {"************4580": {"a": "***********0005"}}),
        (f"{VISA} 12/29 {MASTERCARD}", "************4580 12/29 ************4444"),
        (1700000000004, 1700000000004),
        (1e300, 1e300),
    ],
)
def test_only_card_numbers_are_masked_in_json_values(value: Any, shown: Any) -> None:
    assert without_card_numbers(value) == shown


@pytest.mark.parametrize(
    ("number", "text"), [("4.58e3", "4580"), ("4580.0", "4580"), ("1e999999", "1E+999999"), ("0.5", "0.5"), ("0", "0")]
)
def test_whole_number_is_written_with_all_its_digits(number: str, text: str) -> None:
    assert number_text(Decimal(number)) == text
