"""Rows of a list become processes. A row that cannot be read is named, and stops no other row."""

import pytest

from domain.completeness.list_rows import HEAD_WITHIN_ROWS, MOST_UNREAD, read_list, read_list_format
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
