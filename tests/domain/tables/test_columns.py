"""Columns of form tables keep their names and their types, fields become values of columns, and meanings are known."""

import re
from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.tables.catalogue import LEAD, SOURCES, columns_of
from domain.tables.columns import FieldId, columns_of_form, filled, see, settled, shown_columns, shown_values
from domain.tables.names import column_name, form_table, taken_by
from domain.tables.values import Seen
from models.tables import MOST_COLUMNS, Column, ColumnType, FormColumnRow, Treatment, Unfit
from models.templates import Names, PartWords, TemplateWords

WORDS = TemplateWords(
    parts={
        "field:RENT": PartWords(name=Names(en="Monthly rent", he="שכר דירה")),
        "field:MAIL": PartWords(personal=True),
        "field:PLACE": PartWords(personal=False),
    }
)
Fields = list[tuple[int, str | None, str | None, Any]]


def rows_after(*archives: Fields, kept: list[FormColumnRow] | None = None) -> list[FormColumnRow]:
    """Return the columns of a template after what some archives have."""
    seen = dict[FieldId, Seen]()
    see(seen, archives)
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

    assert [each.name for each in columns_of_form(rows, WORDS, ())] == [
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
        *((1, Unfit("DAY", "data[1]")), (1, Unfit(None, "data[2]"))),
        *((2, Unfit("Monthly_rent", "data[0]")), (2, Unfit("PLACE", "data[1]"))),
    ]
    later = rows_after(*archives, kept=rows)
    assert [each.name for each in columns_of_form(later, WORDS, ())][-2:] == ["PLACE", "OTHER"]  # beside its degrees
    assert filled(later, archives)[0][-2:] == [[None, None, "at home"], [None, 1, None]]


def test_template_has_a_bounded_number_of_columns() -> None:
    archive = of(*((str(each), 1) for each in range(MOST_COLUMNS + 2)))
    rows = rows_after(archive)

    values, unfit = filled(rows, [archive])

    assert len(rows) == len(values) == MOST_COLUMNS
    assert unfit == [(0, Unfit(None, f"data[{each}]")) for each in (MOST_COLUMNS, MOST_COLUMNS + 1)]


def test_personal_columns_are_what_people_say_else_what_looks_so_but_dates() -> None:
    archive = [
        *of(("RENT", 1), ("MAIL", 2), ("PHONE", "050-1"), ("BORN", "1/2/1980"), (None, 5)),
        (5, "PLACE", "location", "1,2"),
    ]
    found = columns_of_form(rows_after(archive), WORDS, {"field:PHONE", "field:BORN", "field:PLACE"})

    assert {each.name for each in found if each.is_personal} == {"MAIL", "PHONE", "field"}


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


def test_catalogue_has_no_secret_and_says_what_each_column_means() -> None:
    for name, source in SOURCES.items():
        columns = columns_of(name)
        assert {*source.key} <= {each.name for each in columns}
        assert all(each.description for each in (*LEAD, *columns))
        assert not [each.name for each in columns if re.search("fingerprint|skeleton|headers|digest|body$", each.name)]
    assert column_name(None, "x", 0, ()) == "x"
