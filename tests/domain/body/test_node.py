"""Reading optional members: a right value is read exactly, a wrong value becomes null with a warning."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.body.node import Node, Reading, decimal_from

BIG = 1 << 63


def place(value: Any, zone: str = "UTC") -> Node:
    return Node(value, "there", Reading(ZoneInfo(zone)))


def codes(of: Node) -> list[tuple[str, str]]:
    return [(warning.code, warning.where) for warning in of.reading.warnings]


READERS: dict[str, Callable[[Node], Any]] = {
    "text": Node.text,
    "identifier": Node.identifier,
    "integer": Node.integer,
    "real": Node.real,
    "flag": Node.flag,
    "moment": Node.moment,
    "mapping": Node.mapping,
    "objects": lambda of: list(of.objects()),
    "anything": Node.anything,
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS.keys())
def test_null_counts_as_absent(reader: Callable[[Node], Any]) -> None:
    null = place(None)

    assert reader(null) in (None, {}, [])
    assert null.reading.warnings == []


@pytest.mark.parametrize(
    ("reader", "value", "expected"),
    [
        ("text", "שלום", "שלום"),
        ("text", "", ""),
        ("identifier", "1", "1"),
        ("identifier", 1, "1"),
        ("identifier", -(BIG - 1), str(-(BIG - 1))),
        ("integer", 100, 100),
        ("integer", "100", 100),
        ("integer", " 7 ", 7),
        ("integer", Decimal("1e2"), 100),
        ("integer", Decimal("5.0"), 5),
        ("integer", BIG - 1, BIG - 1),
        ("real", 1000, 1000.0),
        ("real", Decimal("33.196944"), 33.196944),
        ("real", "33.196944", 33.196944),
        ("real", Decimal("1e299"), 1e299),
        ("flag", False, False),
        ("mapping", {"a": {"b": [1, None]}}, {"a": {"b": [1, None]}}),
        ("anything", Decimal("0.1"), 0.1),
        ("anything", Decimal("1e999"), "1E+999"),
        ("anything", Decimal("6304123456789012347.0"), 6304123456789012347),  # a float would lose digits
        ("anything", [True, "x", {"y": Decimal(2)}], [True, "x", {"y": 2.0}]),
    ],
)
def test_right_type_is_read_without_warnings(reader: str, value: Any, expected: Any) -> None:
    where = place(value)

    found = READERS[reader](where)

    assert (found, type(found)) == (expected, type(expected))
    assert where.reading.warnings == []


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        ("text", 5),
        ("text", {}),
        ("identifier", True),
        ("identifier", BIG),
        ("identifier", Decimal("1.5")),
        ("integer", BIG),
        ("integer", Decimal("0.5")),
        ("integer", "12 000"),
        ("integer", True),
        ("integer", Decimal("1e999999")),
        ("integer", "٣"),  # a digit in Python, not in JSON
        ("real", "north"),
        ("real", []),
        ("real", Decimal("1e300")),
        ("flag", 1),
        ("flag", "true"),
        ("mapping", []),
        ("mapping", "x"),
        ("objects", {}),
        ("objects", "x"),
    ],
)
def test_wrong_type_becomes_null_with_a_warning(reader: str, value: Any) -> None:
    where = place(value)

    assert READERS[reader](where) in (None, {}, [])
    assert codes(where) == [("WRONG_TYPE", "there")]


def test_member_of_a_non_object_is_null_and_the_warning_names_the_parent() -> None:
    outer = place("x")

    assert outer.member("inner").text() is None
    assert codes(outer) == [("WRONG_TYPE", "there")]


def test_path_names_members_and_positions() -> None:
    outer = Node({"a": [{"b": 1}, 2, {"b": 3}]}, "", Reading(UTC))

    inner = [each.member("b").path for each in outer.member("a").objects()]

    assert inner == ["a[0].b", "a[2].b"]
    assert codes(outer) == [("WRONG_TYPE", "a[1]")]


def test_null_in_a_list_of_objects_is_skipped_with_a_warning() -> None:
    items = place([None, {}])

    assert [each.path for each in items.objects()] == ["there[1]"]
    assert codes(items) == [("WRONG_TYPE", "there[0]")]


@pytest.mark.parametrize("unstorable", ["\x00", "\ud83d"])
def test_unstorable_character_becomes_a_replacement_character(unstorable: str) -> None:
    where = place(f"a{unstorable}b")

    assert where.text() == "a\ufffdb"
    assert codes(where) == [("TEXT_REPLACED", "there")]


@pytest.mark.parametrize("whole", ["🙂", "\u200f", "\ufffd", "\x01", "\U0010ffff"])
def test_whole_characters_are_unchanged(whole: str) -> None:
    where = place(whole)

    assert where.text() == whole
    assert where.reading.warnings == []


def test_unstorable_key_is_replaced_and_the_warning_gives_its_number() -> None:
    where = place({"k\x00": {"z\ud800": ["\x00"]}})

    assert where.mapping() == {"k\ufffd": {"z\ufffd": ["\ufffd"]}}
    assert codes(where) == [
        ("TEXT_REPLACED", "there"),
        ("TEXT_REPLACED", "there{0}"),
        ("TEXT_REPLACED", "there{0}{0}[0]"),
    ]


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2022-12-21T22:29:17.603248", "UTC", datetime(2022, 12, 21, 22, 29, 17, 603248, UTC)),
        ("2022-12-21T22:29:17.603248", "Asia/Jerusalem", datetime(2022, 12, 21, 20, 29, 17, 603248, UTC)),
        ("2022-07-01T00:30:00", "Asia/Jerusalem", datetime(2022, 6, 30, 21, 30, tzinfo=UTC)),
        ("2022-12-21T22:29:17+02:00", "America/New_York", datetime(2022, 12, 21, 20, 29, 17, tzinfo=UTC)),
        ("2022-12-21T22:29:17Z", "Asia/Jerusalem", datetime(2022, 12, 21, 22, 29, 17, tzinfo=UTC)),
        ("2022-12-21", "UTC", datetime(2022, 12, 21, tzinfo=UTC)),
        ("", "UTC", None),
    ],
)
def test_naive_timestamp_is_in_the_configured_zone(text: str, zone: str, expected: datetime | None) -> None:
    where = place(text, zone)

    assert where.moment() == expected
    assert where.reading.warnings == []


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        1671661757,
        True,
        [],
        "2022-13-01T00:00:00",
        "2022-12-21T22:29:17\ud800",
        "0001-01-01T00:00:00",  # year 0 in UTC, which no database stores
        "9999-12-31T23:59:59",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_invalid_timestamp_becomes_null_with_a_warning(value: Any) -> None:
    where = place(value, "Asia/Jerusalem")

    assert where.moment() is None
    assert codes(where) == [("TIMESTAMP_UNREADABLE", "there")]


@pytest.mark.parametrize(
    "value", [True, None, "", "1,5", "0x10", "NaN", "Infinity", "1e999", "--1", "1" * 101, [1], {}]
)
def test_value_that_is_not_a_number_is_none(value: Any) -> None:
    assert decimal_from(value) is None


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30, places=6))
def test_number_written_as_text_is_exact(number: Decimal) -> None:
    assert decimal_from(f"{number:f}") == number


@given(st.integers(-(BIG - 1), BIG - 1))
def test_whole_number_is_the_same_in_every_notation(number: int) -> None:
    spelled = [number, str(number), Decimal(number), f"{number}.0"]

    assert [place(each).integer() for each in spelled] == [number] * 4
