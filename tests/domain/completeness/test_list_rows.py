"""Lists of processes: rows, cells and formats that are understood, and those that are refused."""

from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.completeness.list_rows import HEAD_WITHIN_ROWS, MOST_UNREAD, number_of, read_list, read_list_format, time_of
from models.completeness.list_format import ListFormat
from models.completeness.listed import ListedProcess, ListedTime, Standing, UnreadRow
from models.errors import Refused
from tests.lists import DESTINATION, HEADS, local, sheet_rows

FORM = ListFormat()
CREATED = local(2026, 11, 24, 10, 15)
GOOD = (100, CREATED, "Loans", DESTINATION)


def test_headings_may_stand_below_a_title_and_further_columns_are_ignored() -> None:
    read = read_list(sheet_rows(("Processes",), (), HEADS, GOOD), FORM)
    assert read.processes == [ListedProcess(4, 100, None, ListedTime(CREATED))]


@pytest.mark.parametrize(
    "heads",
    [("  CREATED ", "#"), ("\u200fנוצר", "מספר תהליך"), ("Created", "Transaction number", "Process  number")],
)
def test_headings_are_known_in_several_spellings(heads: tuple[str, ...]) -> None:
    cells = ["24/11/2026 10:15", *["7"] * (len(heads) - 1)]
    (found,) = read_list(sheet_rows(heads, cells), FORM).processes
    assert (found.process_number, found.created) == (7, ListedTime(CREATED))


def test_process_number_wins_over_the_number_sign() -> None:
    (found,) = read_list(sheet_rows(("#", "Created", "Process number"), (1, CREATED, 5001)), FORM).processes
    assert found.process_number == 5001


def test_blank_rows_and_repeated_headings_are_skipped() -> None:
    rows = sheet_rows(HEADS, (None, "", " ", ""), GOOD, HEADS, ("", None), (101, CREATED))
    read = read_list(rows, FORM)
    assert ([each.row for each in read.processes], read.unread) == ([3, 6], [])


def test_rows_that_cannot_be_read_are_named_and_the_others_count() -> None:
    rows = sheet_rows(
        HEADS,
        ("12a", CREATED, "", DESTINATION),
        (100, "soon", "", DESTINATION),
        (None, CREATED, "", DESTINATION),
        (100, None, "", DESTINATION),
        GOOD,
        (1.5, "never"),
    )
    read = read_list(rows, FORM)
    found = [(each.row, each.column, each.code) for each in read.unread]
    assert [each.row for each in read.processes] == [6]
    assert found == [
        (2, "#", "BAD_NUMBER"),
        (3, "Created", "BAD_TIME"),
        (4, "#", "NO_NUMBER"),
        (5, "Created", "NO_TIME"),
        (7, "#", "BAD_NUMBER"),
        (7, "Created", "BAD_TIME"),
    ]
    assert not any(value in repr(read.unread) for value in (DESTINATION, "12a", "soon", "never"))


def test_unread_cells_are_counted_beyond_those_that_are_named() -> None:
    read = read_list(sheet_rows(HEADS, *[("x", CREATED)] * (MOST_UNREAD + 5)), FORM)
    assert (len(read.unread), read.unread_count) == (MOST_UNREAD, MOST_UNREAD + 5)


def test_status_says_how_far_a_process_is_and_an_unknown_word_leaves_no_row_out() -> None:
    heads = ("#", "Created", "Status")
    words = ("Completed", " FAILED ", "פתוח", "מוזר", None)
    read = read_list(sheet_rows(heads, *((number, CREATED, word) for number, word in enumerate(words))), FORM)
    assert [each.standing for each in read.processes] == [
        Standing.SUCCEEDED,
        Standing.FAILED,
        Standing.OPEN,
        Standing.UNKNOWN,
        Standing.UNKNOWN,
    ]
    detail = "expected a word of `statuses`; the row counts as ended"
    assert read.unread == [UnreadRow(5, "Status", "UNKNOWN_STATUS", detail)]


def test_first_sheet_with_the_headings_counts() -> None:
    rows = [
        *sheet_rows(("Summary",), ("Rows", 2)),
        *sheet_rows(HEADS, GOOD, sheet=1),
        *sheet_rows(HEADS, (999, CREATED), sheet=2),
    ]
    assert [each.process_number for each in read_list(rows, FORM).processes] == [100]


def test_rows_belong_to_the_source_of_their_project() -> None:
    form = read_list_format('[projects]\n"Loans" = "loans"\n')
    rows = sheet_rows(HEADS, GOOD, (101, CREATED, " LOANS "), (102, CREATED, "Cards"), (103, CREATED))
    everything, wanted = read_list(rows, form), read_list(rows, form, "loans")
    assert [each.source for each in everything.processes] == ["loans", "loans", "default", "default"]
    assert ([each.process_number for each in wanted.processes], wanted.left_out) == ([100, 101], 2)


def test_without_projects_all_rows_belong_to_the_wanted_source() -> None:
    rows = sheet_rows(HEADS, GOOD)
    assert [read_list(rows, FORM, each).processes[0].source for each in ("loans", None)] == ["loans", None]


@pytest.mark.parametrize(
    "rows",
    [[], [("Name", "Mail")], [("#", "Project")], [("Created", "Project")], [*[("x",)] * HEAD_WITHIN_ROWS, HEADS, GOOD]],
)
def test_list_without_the_headings_is_refused_with_what_was_expected(rows: list[tuple[object, ...]]) -> None:
    with pytest.raises(Refused, match=r"^MISSING_COLUMN: expected .*, #; .*Created.*CELLAR_LIST_COLUMNS"):
        read_list(sheet_rows(*rows), FORM)


def test_heading_that_stands_twice_is_refused() -> None:
    with pytest.raises(Refused, match="AMBIGUOUS_COLUMN at row 2, column Created"):
        read_list(sheet_rows(("List",), ("#", "Created", "created"), GOOD), FORM)


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        (1001, 1001),
        (1001.0, 1001),
        ("1001", 1001),
        (" 1,001 ", 1001),
        ("1 001", 1001),
        ("1\xa0001", 1001),
        ("12,345,678", 12345678),
        ("1001.0", 1001),
        ("#1001", 1001),
        ("001001", 1001),
        ("\u200f1001", 1001),
        ('="001001"', 1001),
        ("'1001", 1001),
        ((1 << 63) - 1, (1 << 63) - 1),
        ("9223372036854775807", (1 << 63) - 1),
    ],
)
def test_number_is_read_as_a_spreadsheet_writes_it(cell: str | float, number: int) -> None:
    assert number_of(cell) == number


@pytest.mark.parametrize(
    "cell",
    [
        *("", None, "1001a", "1.5", 1.5, -1, "-1", True, "1,00", "1E+05", "١٢", 1e300, float("nan"), float("inf")),
        *(1 << 63, "9223372036854775808", "1" * 5000, local(2026, 1, 1), "12/11"),
    ],
)
def test_what_is_no_whole_number_is_not_read(cell: object) -> None:
    assert number_of(cell) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "cell",
    [
        local(2026, 11, 4, 22, 15),
        "2026-11-04 22:15",
        "2026-11-04T22:15:00",
        "2026-11-04T22:15:00.000",
        "04/11/2026 22:15",
        "4/11/2026, 22:15:00",
        "04.11.2026 22:15",
        "04-11-26 22:15",
        "4/11/2026 10:15 PM",
        "2026/11/04 22:15",
        "4 Nov 2026 22:15",
        "04-Nov-2026 22:15",
        "Nov. 4, 2026, 10:15 p.m.",
        "November 4, 2026, 22:15",
        "\u200e04/11/2026\u200f 22:15",
        46330.927083333336,
        "46330.927083333336",
    ],
)
def test_time_is_read_in_the_forms_that_exports_have(cell: str | float | datetime) -> None:
    assert time_of(cell, day_first=True) == ListedTime(local(2026, 11, 4, 22, 15))


@pytest.mark.parametrize("cell", [date(2026, 11, 4), "2026-11-04", "04/11/2026", "4.11.26", "4 Nov 2026", 46330])
def test_day_without_a_time_is_a_day(cell: str | int | date) -> None:
    assert time_of(cell, day_first=True) == ListedTime(local(2026, 11, 4), is_day=True)


def test_month_comes_first_where_the_settings_say_so() -> None:
    assert time_of("04/11/2026 12:05 am", day_first=False) == ListedTime(local(2026, 4, 11, 0, 5))


def test_stated_zone_is_kept() -> None:
    zone = timezone(timedelta(hours=2))
    assert time_of("2026-11-04T22:15:00+02:00", day_first=True) == ListedTime(
        datetime(2026, 11, 4, 22, 15, tzinfo=zone)
    )


@pytest.mark.parametrize(
    "cell",
    [
        *("", None, "yesterday", "32/11/2026", "04/13/2026", "04/11/2026 25:00", "4/11/2026 13:15 pm", "1899-12-30"),
        *(True, 1.5, "04/11/1999", "9999-12-31", float("nan"), "4 Foo 2026", "10:00:00", "04/11-2026", "99999", 0, 100),
    ],
)
def test_what_is_no_time_is_not_read(cell: object) -> None:
    assert time_of(cell, day_first=True) is None  # type: ignore[arg-type]


@given(st.text() | st.integers() | st.floats() | st.booleans() | st.datetimes() | st.dates() | st.none(), st.booleans())
def test_any_cell_is_read_or_not(cell: object, day_first: bool) -> None:
    number, found = number_of(cell), time_of(cell, day_first=day_first)  # type: ignore[arg-type]
    assert number is None or 0 <= number < 1 << 63
    assert found is None or 2000 <= found.stated.year <= 2100


@given(st.integers(0, (1 << 63) - 1))
def test_number_is_the_same_in_all_its_forms(number: int) -> None:
    assert {number_of(each) for each in (number, str(number), f"{number:,}", f"#{number}")} == {number}


def test_empty_text_is_the_default() -> None:
    assert read_list_format("") == ListFormat()


def test_one_word_or_several_name_a_column() -> None:
    form = read_list_format('timezone = "Asia/Jerusalem"\n[columns]\ncreated = "Started"\nstatus = ["A", "B"]\n')
    assert (form.columns.created, form.columns.status, form.timezone) == (("Started",), ("A", "B"), "Asia/Jerusalem")
    assert form.columns.process_number == ListFormat().columns.process_number


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[columns", "expected TOML"),
        ('[columns]\nnumber = "#"', "at columns.number"),
        ("[columns]\ncreated = []", "at columns.created: expected at least one"),
        ("[columns]\nprocess_number = []\ntransaction_number = []", "at columns.process_number"),
        ('[columns]\nstatus = "CREATED"', "at columns: expected each word to have one meaning, but 'created'"),
        ('[statuses]\nopen = "Done"', "at statuses: expected each word to have one meaning, but 'done'"),
        ('timezone = "Asia/Atlantis"', "at timezone: expected a time zone"),
        ('timezone = "../../etc/passwd"', "at timezone: expected a time zone"),
        ("tolerance_s = -1", "at tolerance_s"),
        ('encoding = "ebcdic"', "at encoding"),
        ('delimiter = ";;"', "at delimiter"),
    ],
)
def test_wrong_text_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        read_list_format(text)
    assert said in str(refused.value)
    assert str(refused.value).startswith("BAD_LIST_COLUMNS")
