"""Prints tables whose references and ids can be copied whole."""

import csv
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path

import pytest
import typer
from rich.cells import cell_len
from rich.console import Console

from cli.terminal import Folds, named_options, print_discrepancy, print_fitted, print_table
from models.views.archives.archives import ArchiveQuery
from models.views.archives.payments import DiscrepancyView, ExplanationView
from tests.installations import installed

REFERENCE = "f51c66ba-d33a-4c59-b63a-aa270383fb9e"
DIGEST = "0123456789abcdef" * 4
HEADS = ("reference", "state", Folds("cause"), "process", "template", "received", "files")
ROW = (REFERENCE, "completed", None, 1037, "9fa70d4ccea84262b1ed2308a07a3fb4", "2026-01-01 12:00:00", 12)
WORDS = "the store does not take a file: Read-only file system"


def on_a_terminal(width: int, *rows: Sequence[object], heads: Sequence[str] = HEADS) -> list[str]:
    """Return the lines of a table. The first has the heads."""
    terminal = Console(width=width, force_terminal=True, no_color=True, markup=False)
    with terminal.capture() as shown:
        print_fitted(terminal, heads, rows, all_by="--wide")
    return [re.sub("\x1b\\[[0-9;]*m", "", line).rstrip() for line in shown.get().splitlines()]


def test_columns_without_room_are_left_out_and_named_and_no_word_is_cut() -> None:
    assert on_a_terminal(80, ROW) == [
        "reference                             state      process  received",
        f"{REFERENCE}  completed     1037  2026-01-01 12:00:00",
        "--wide also shows: template, files",
    ]
    assert on_a_terminal(120, ROW)[1].split() == [str(each) for cell in ROW if cell for each in str(cell).split()]


def test_column_of_texts_folds_between_words_and_a_column_without_values_takes_no_room() -> None:
    failed = (REFERENCE, "failed", WORDS, *ROW[3:])

    lines = on_a_terminal(80, failed)

    assert "cause" not in on_a_terminal(200, ROW)[0]
    assert lines[0].split() == ["reference", "state", "cause", "process"]
    assert " ".join(line[46:71].rstrip() for line in lines[1:-1]) == WORDS
    assert on_a_terminal(200, failed)[1].split()[-2:] == ["12:00:00", "12"]


@pytest.mark.parametrize("width", [40, 60, 80, 100])
@pytest.mark.parametrize("first", ["x" * 200, "ש" * 100, DIGEST, "1"], ids=["long", "Hebrew", "digest", "short"])
def test_first_column_is_whole_and_no_line_is_longer_than_the_terminal(first: str, width: int) -> None:
    lines = on_a_terminal(width, (first, *ROW[1:]))

    column = lines[0].index(" state") if " state" in lines[0] else width
    rows = takewhile(lambda line: not line.startswith("--wide also"), lines[1:])
    assert "".join(line[:column].strip() for line in rows) == first
    assert max(map(cell_len, lines)) <= width


def test_pipe_gets_each_row_whole_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    words = "x " * 20_000

    print_table(HEADS, [(*ROW[:-1], words)])

    (line,) = [each for each in capsys.readouterr().out.splitlines() if REFERENCE in each]
    assert all(str(each) in line for each in ROW[:-1] if each)
    assert words.strip() in line


def test_csv_has_all_columns_and_no_formula(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(HEADS, [(*ROW[:2], '=HYPERLINK("x")', *ROW[3:])], as_csv=True)

    heads, row = csv.reader(capsys.readouterr().out.splitlines())
    assert heads == list(HEADS)
    assert row == [*ROW[:2], """'=HYPERLINK("x")""", *map(str, ROW[3:])]


def test_markup_and_control_characters_are_printed_as_text() -> None:
    assert on_a_terminal(80, ("[red]a\x1b[0m",), heads=["what"])[1] == "[red]a\\x1b[0m"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"discrepancy": "AMOUNT-MISMATCH"}, "--discrepancy: expected AGING_HOLD, AMBIGUOUS_MATCH, AMOUNT_MISMATCH, "),
        ({"discrepancy": "amount_mismatch"}, "; did you mean AMOUNT_MISMATCH?"),
        ({"state": "FOO"}, "--state: expected received, processing, completed or failed"),
        ({"state": "fail"}, "; did you mean failed?"),
        ({"limit": 0}, "--limit: expected greater than or equal to 1"),
    ],
)
def test_wrong_option_is_answered_with_values_that_are_accepted(values: dict[str, object], words: str) -> None:
    with pytest.raises(typer.BadParameter) as wrong, named_options():
        ArchiveQuery.model_validate(values)

    assert words in wrong.value.message


def test_explanation_has_the_time_of_the_zone_in_which_times_are_shown(tmp_path: Path) -> None:
    at = datetime(2026, 1, 1, 23, 30, tzinfo=UTC)
    found = DiscrepancyView(
        discrepancy_id="1", code="AMOUNT_MISMATCH", transaction_id=None, expected="1", found="2", sentence="wrong",
        state="explained", opened_at=at, explanation=ExplanationView(by="dana", why="a tip", at=at), closed_at=None,
    )  # fmt: skip
    terminal = Console(width=80)
    with installed(tmp_path, business_timezone="Asia/Jerusalem"), terminal.capture() as shown:
        print_discrepancy(terminal, found)

    assert "explained since 2026-01-02 01:30+02" in shown.get()
    assert "a tip (dana, 2026-01-02 01:30+02)" in shown.get()
