"""Columns of form tables keep their names and their types, fields become values of columns, and meanings are known."""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.personal import hides
from domain.settlements.report import entries_of, read_format
from domain.tables.catalogue import ENTRY, LEAD, SOURCES, UNFIT, columns_of
from domain.tables.columns import FieldId, columns_of_form, filled, see, settled, shown_columns, shown_values
from domain.tables.names import form_table, taken_by
from domain.tables.values import Seen
from models.completeness.listed import SheetRow
from models.discrepancies import DiscrepancyCode
from models.tables import MOST_COLUMNS, Column, ColumnType, FormColumnRow, Treatment
from models.templates import Names, PartWords, TemplateWords

WORDS = TemplateWords(
    parts={
        "field:RENT": PartWords(name=Names(en="Monthly rent", he="שכר דירה")),
        "field:MAIL": PartWords(personal=True),
        "field:PLACE": PartWords(personal=False),
    }
)
Fields = list[tuple[int, str | None, str | None, Any]]


def rows_after(
    *archives: Fields,
    kept: list[FormColumnRow] | None = None,
    chosen: Collection[str] = (),
    full: Collection[FieldId] = (),
) -> list[FormColumnRow]:
    """Return the columns of a template after what some archives have."""
    seen = dict[FieldId, Seen]()
    see(seen, archives, full, chosen)
    rows = {each.key: each for each in kept or []}
    rows |= {each.key: each for each in settled("lease", list(rows.values()), seen, WORDS)}
    return sorted(rows.values(), key=lambda each: each.number)


def of(*values: tuple[str | None, Any], declared: str | None = "text") -> Fields:
    return [(position, id_, declared, value) for position, (id_, value) in enumerate(values)]


def test_names_are_ascii_and_differ_by_more_than_capitals_and_collide_with_nothing() -> None:
    ids = (
        "RENT",
        "a b",
        "A-B",
        "select",
        "Select",
        "_archive",
        ";drop",
        '"q"',
        "\u202eevil\u202c",
        "שם",
        "7",
        None,
        "",
    )
    archive = [*of(*((each, "x") for each in ids)), (20, "RENT", "text", "y"), (21, "x_latitude", "text", "z")]
    found = rows_after([*archive, (22, "X", "location", "1.5,2.5")])

    assert [each.name for each in found] == [
        *("Monthly_rent", "a_b", "A_B_2", "select_", "Select__2", "archive", "drop", "q", "evil", "field", "field_7"),
        *("field_2", "field_3", "Monthly_rent_2", "x_latitude", "X_2"),
    ]
    names = [name for each in found for name in taken_by(each.name)]
    assert len(names) == len({*names})
    assert all(re.fullmatch("[a-z][a-z0-9_]{0,62}", each) for each in names)


@given(st.lists(st.text(max_size=80), max_size=20))
def test_each_field_gets_a_name_of_its_own_that_later_fields_do_not_change(ids: list[str]) -> None:
    early = rows_after(of(*((each, "x") for each in ids[:10])))
    late = rows_after(of(*((each, "x") for each in ids)), kept=early)

    assert [each.name for each in late[: len(early)]] == [each.name for each in early]
    assert len(late) == len(ids) == len({name for each in late for name in taken_by(each.name)}) / 3
    assert all(re.fullmatch("[A-Za-z][A-Za-z0-9_]{0,62}", each.name) for each in late)


def test_tables_of_templates_have_names_of_their_own() -> None:
    ids = (
        "lease",
        "Lease",
        "LEASE",
        "a b",
        "a_b",
        "a-b",
        "",
        "שכירות",
        "x" * 500,
        "x" * 501,
        "select",
        "a_0123456789ab",
    )
    names = [form_table(each) for each in ids]

    assert names[0] == "form_lease"
    assert len({each.lower() for each in names}) == len(ids)
    assert all(re.fullmatch("form_[a-z0-9_]{1,58}", each) for each in names)


def test_type_is_widened_and_never_narrowed_and_a_new_field_is_a_new_column() -> None:
    first = rows_after(of(("RENT", "1,200"), ("CITY", None)))
    then = rows_after(of(("CITY", "5/3/2026"), ("RENT", "12.5")), of(("NEW", "x")), kept=first)
    last = rows_after(of(("CITY", "Haifa"), ("RENT", "1")), kept=then)

    assert [(each.name, each.type) for each in first] == [("Monthly_rent", "integer"), ("CITY", None)]
    assert [each.type for each in then] == ["decimal", "date", "text"]
    assert [each.type for each in last] == ["decimal", "text", "text"]


def test_values_stand_in_their_columns_and_what_is_unfit_is_null_with_its_place() -> None:
    archives = [
        [*of(("RENT", "1,200"), ("RENT", "x"), ("DAY", "5/3/2026")), (3, "PLACE", "location", "32.5,34.5")],
        of(("RENT", 7), ("DAY", "tomorrow"), ("OTHER", "1")),
        [*of(("RENT", "much")), (1, "PLACE", "location", "at home")],
    ]
    rows = rows_after(*archives[:1], kept=None)

    values, unfit = filled(rows, archives)

    assert [each.name for each in columns_of_form(rows, WORDS)] == [
        *("Monthly_rent", "Monthly_rent_2", "DAY", "PLACE_latitude", "PLACE_longitude"),
    ]
    assert values == [
        [1200, 7, None],
        ["x", None, None],
        [date(2026, 3, 5), None, None],
        [32.5, None, None],
        [34.5, None, None],
    ]
    assert sorted(unfit, key=str) == [
        *((1, "DAY", "data[1]"), (1, None, "data[2]")),
        *((2, "Monthly_rent", "data[0]"), (2, "PLACE", "data[1]")),
    ]
    later = rows_after(*archives, kept=rows)
    assert [each.name for each in columns_of_form(later, WORDS)][-2:] == ["PLACE", "OTHER"]  # beside its degrees
    assert filled(later, archives)[0][-2:] == [[None, None, "at home"], [None, 1, None]]


def test_template_has_a_bounded_number_of_columns() -> None:
    archive = of(*((str(each), 1) for each in range(MOST_COLUMNS + 2)))
    rows = rows_after(archive)

    values, unfit = filled(rows, [archive])

    assert len(rows) == len(values) == MOST_COLUMNS
    assert unfit == [(0, None, f"data[{each}]") for each in (MOST_COLUMNS, MOST_COLUMNS + 1)]


def test_columns_are_personal_unless_people_or_the_declared_types_of_all_values_deny_it() -> None:
    its: dict[str | None, tuple[str, Any]]
    its = {"RENT": ("text", 1), "MAIL": ("select", "a"), "PLACE": ("location", "1,2"), "TICKED": ("checkbox", True)}
    its |= {
        "SUM": ("amount", "₪1,200.50"),
        "TERM": ("select", "12 months"),
        "CITY": ("select", "Herzl 5"),
        None: ("", 5),
    }
    archive: Fields = [(at, name, type_, value) for at, (name, (type_, value)) in enumerate(its.items())]
    typed_: Fields = [
        (0, "TICKED", "text", "Dana"),
        (1, "SUM", "amount", "050-1234567"),
        (2, "TERM", "text", "12 months"),
    ]
    chosen = {"field:MAIL", "field:TERM"}
    rows = rows_after(archive, chosen=chosen)
    personal = {"Monthly_rent", "MAIL", "CITY", "field"}

    def found(rows: list[FormColumnRow]) -> set[str]:
        return {column.name for column in columns_of_form(rows, WORDS) if column.is_personal}

    assert found(rows) == found(rows_after(archive, kept=rows, chosen=chosen)) == personal
    assert found(rows_after(archive, typed_, kept=rows, chosen=chosen)) == personal | {"TICKED", "SUM", "TERM"}
    assert found(rows_after(archive, kept=rows_after(archive, typed_), chosen=chosen)) == personal
    assert found(rows_after(kept=rows_after(archive, chosen=chosen), full={("TERM", 0)})) == personal


def test_finding_and_media_type_are_personal_by_what_they_are() -> None:
    columns = (*columns_of("discrepancies"), *columns_of("files"))
    at = {(each.table, each.name): number for number, each in enumerate(columns)}
    codes = ["FIELD_WITHOUT_PAYMENT", "CARD_CONFLICT", "AMOUNT_MISMATCH"]
    values: list[list[Any]] = [["v"] * len(codes) for _ in columns]
    values[at["discrepancies", "code"]] = codes
    values[at["files", "media_type"]] = ["image/png", "image/png; name=Dana", None]

    shown = shown_values(columns, values, Treatment.KEYED, "key of {}".format)
    seen = {
        name: shown[at["discrepancies", name]] for name in ("transaction_id", "expected", "discrepancy_id", "state")
    }
    hidden = "key of v"
    assert seen["transaction_id"] == seen["discrepancy_id"] == [hidden, "v", "v"]
    assert (seen["expected"], seen["state"]) == (["v", hidden, "v"], ["v"] * 3)
    assert shown[at["files", "media_type"]] == ["image/png", "key of image/png; name=Dana", None]
    masked = shown_values(columns, values, Treatment.MASKED, str)
    assert masked[at["files", "media_type"]] == ["image/png", "•••", None]


def test_each_treatment_hides_personal_values_of_any_type() -> None:
    columns = [Column("a", ColumnType.INTEGER, ""), Column("b", ColumnType.INTEGER, "", is_personal=True)]
    values, key = [[1, 2, None], [5, None, 5]], "key of {}".format

    for how, types, expected in (
        (Treatment.WHOLE, ["integer", "integer"], values),
        (Treatment.LEFT_OUT, ["integer"], values[:1]),
        (Treatment.MASKED, ["integer", "text"], [values[0], ["•••"] * 3]),
        (Treatment.KEYED, ["integer", "text"], [values[0], ["key of 5", None, "key of 5"]]),
    ):
        assert [each.type for each in shown_columns(columns, how)] == types
        assert shown_values(columns, values, how, key) == expected


def test_catalogue_has_no_secret_and_its_page_says_what_each_column_means_and_no_other() -> None:
    page = (Path(__file__).parents[3] / "docs" / "columns.md").read_text()
    said = {*re.findall(r"^\| `([\w.]+)` \|", page, re.MULTILINE)}
    for name, source in SOURCES.items():
        columns = columns_of(name)
        assert {*source.key} <= {each.name for each in columns}
        assert all(each.description for each in (*LEAD, *columns))
        assert not [each.name for each in columns if re.search("fingerprint|skeleton|headers|digest|body$", each.name)]
        said -= {f"{name}.{each.name}" for each in columns}
    said -= {f"dictionary.{each.name}" for each in ENTRY}
    others = {each.name for each in (*UNFIT, *ENTRY) if each not in LEAD}
    assert said == {each.name for name in SOURCES for each in columns_of(name)} | others


def _numbered(*values: Any) -> Callable[[Random, int], Any]:
    return lambda _, number: values[number % len(values)]


ODD: Mapping[str, tuple[str, Callable[[Random, int], Any], ColumnType | None]] = {
    "plain": ("text", lambda drawn, _: str(drawn.randrange(10**6)), ColumnType.INTEGER),
    "json number": ("text", lambda drawn, _: drawn.randrange(10**6), ColumnType.INTEGER),
    "thousands": ("text", lambda drawn, _: f"{drawn.randrange(10**9):,}", ColumnType.INTEGER),
    "negative": ("text", lambda drawn, _: f"-{drawn.randrange(1, 10**9):,}", ColumnType.INTEGER),
    "marked": ("text", lambda drawn, _: f"\u200f{drawn.randrange(10**3)}\u200e ", ColumnType.INTEGER),
    "shekels": ("text", lambda drawn, _: f"₪{drawn.randrange(10**6):,}", ColumnType.INTEGER),
    "shekels after": ("text", lambda drawn, _: f'{drawn.randrange(10**6)} ש"ח', ColumnType.INTEGER),
    "rooms": ("select", _numbered("1", "2", "3"), ColumnType.INTEGER),
    "zero and one": ("checkbox", _numbered("0", "1"), ColumnType.INTEGER),
    "large": ("text", _numbered(str((1 << 63) - 1), str(-(1 << 62))), ColumnType.INTEGER),
    "too large": ("text", _numbered(str(1 << 63)), ColumnType.DECIMAL),
    "agorot": ("text", lambda drawn, _: f"{drawn.randrange(10**9) / 100:,.2f}", ColumnType.DECIMAL),
    "mixed": ("text", _numbered("1", "2.5", 3, Decimal("4.25")), ColumnType.DECIMAL),
    "shares": ("text", lambda drawn, _: Decimal(drawn.randrange(10**9)) / 10**9, ColumnType.DECIMAL),
    "many digits": ("text", lambda drawn, _: f"0.{drawn.randrange(1, 10**19):019}", ColumnType.TEXT),
    "percent": ("text", lambda drawn, _: f"{drawn.randrange(100)}.{drawn.random():.9f}%", ColumnType.TEXT),
    "dollars": ("text", lambda drawn, _: f"${drawn.random()}", ColumnType.TEXT),
    "identity": ("text", lambda drawn, _: f"{drawn.randrange(10**8):09}", ColumnType.TEXT),
    "phone": ("text", lambda drawn, _: f"05{drawn.randrange(10**8):08}", ColumnType.TEXT),
    "phone abroad": ("text", lambda drawn, _: f"+97250{drawn.randrange(10**7):07}", ColumnType.TEXT),
    "comma": ("text", lambda drawn, _: f"{drawn.randrange(10**6)},5", ColumnType.TEXT),
    "iso": ("date", lambda drawn, _: str(date.fromordinal(700_000 + drawn.randrange(40_000))), ColumnType.DATE),
    "slashes": ("date", lambda drawn, _: f"{drawn.randrange(1, 29)}/{drawn.randrange(1, 13)}/2026", ColumnType.DATE),
    "points": (
        "text",
        lambda drawn, _: f"{drawn.randrange(1, 29):02}.{drawn.randrange(1, 13):02}.2026",
        ColumnType.DATE,
    ),
    "words": ("text", _numbered("1 בינואר 2026", "31 באוגוסט 1999", "7 דצמבר 2001"), ColumnType.DATE),
    "english": ("text", _numbered("1 January 2026", "31 Aug 1999", "7 december, 2001"), ColumnType.DATE),
    "three notations": ("date", _numbered("2026-01-31", "31/1/2026", "31 בינואר 2026"), ColumnType.DATE),
    "month first": (
        "date",
        lambda drawn, _: f"1/{drawn.randrange(13, 29)}/20{drawn.random()}",
        ColumnType.TEXT,
    ),
    "short years": ("date", lambda drawn, number: f"{number % 28 + 1}.1.{number + 10}", ColumnType.TEXT),
    "times": ("text", lambda drawn, number: f"2026-01-01T00:{number:02}", ColumnType.TEXT),
    "hebrew numerals": ("select", _numbered("א׳", "ב׳", "ט״ו"), ColumnType.CHOICE),
    "flags": ("checkbox", _numbered("true", "false"), ColumnType.BOOLEAN),
    "json flags": ("checkbox", _numbered(True, False), ColumnType.BOOLEAN),
    "hebrew flags": ("radio", _numbered("כן", "לא"), ColumnType.BOOLEAN),
    "flags and more": ("radio", _numbered("כן", "לא", "אולי"), ColumnType.CHOICE),
    "city": ("dropdown", _numbered("חיפה", "תל אביב"), ColumnType.CHOICE),
    "city by look": ("text", _numbered("חיפה", "תל אביב"), ColumnType.CHOICE),
    "city that is free": ("select", lambda drawn, number: f"עיר {number}", ColumnType.TEXT),
    "choice or number": ("select", _numbered("1", "none"), ColumnType.CHOICE),
    "several": ("list", lambda drawn, number: [f"a {number}", "b"], ColumnType.TEXT),
    "structure": ("text", lambda drawn, number: {"a": number}, ColumnType.TEXT),
    "names": ("text", lambda drawn, number: f"נועה {number} לוי", ColumnType.TEXT),
    "number or date": ("text", lambda drawn, number: "2026-01-01" if number % 2 else str(number), ColumnType.TEXT),
    "stray": ("text", lambda drawn, number: "n/a" if number == 77 else number, ColumnType.INTEGER),
    "blank": ("text", _numbered("", None, " ", []), None),
}


@pytest.mark.parametrize("seed", range(30))
def test_odd_columns_have_the_types_that_a_person_gives_them(seed: int) -> None:
    """Thirty templates of 40 of these columns, each in another order, with other values, and other fields blank."""
    drawn = Random(seed)
    names = drawn.sample(list(ODD), 40)
    archives: list[Fields] = []
    for number in range(drawn.randrange(120, 160)):
        its = [(name, ODD[name][0], ODD[name][1](drawn, number)) for name in names if drawn.random() < 0.95]
        archives.append([(at, name, declared, value) for at, (name, declared, value) in enumerate(its)])

    assert {each.element: each.type for each in rows_after(*archives)} == {name: ODD[name][2] for name in names}


def test_id_by_which_a_card_is_guessed_without_a_key_is_personal() -> None:
    """The id of an entry without fingerprints is a digest of the other columns, and a card has 10,000 ends."""
    heads = "[columns]\nsettled_on = 'day'\namount = 'amount'\ncard = 'card'\ncurrency = 'currency'\ncguid = 'id'"
    form = read_format(f"fee_tolerance_minor = 0\nlate_after_days = 7\n{heads}")

    def ids(card: str) -> list[str]:
        lines = (["day", "amount", "card", "currency", "id"], ["2026-01-01", "1.00", card, "ILS", ""])
        rows = [SheetRow(0, number, list(cells)) for number, cells in enumerate(lines, 1)]
        return [each.entry_id for each in entries_of(rows, form, str)]

    assert ids("0042") == ids("0042") != ids("0043")
    its = {(table, each.name) for table in SOURCES for each in columns_of(table) if each.is_personal}
    assert ("settlements", "entry_id") in its
    codes = DiscrepancyCode.MISSING_IN_ARCHIVE, DiscrepancyCode.AMBIGUOUS_MATCH
    assert all(hides("discrepancies", "discrepancy_id", "", code) for code in codes)
