"""Prints tables whose references and ids can be copied whole."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from rich.console import Console
from rich.table import Table

from cli.terminal import console, named_options, print_discrepancy, table_of
from models.views.archives.archives import ArchiveQuery
from models.views.archives.payments import DiscrepancyView, ExplanationView
from tests.installations import installed

REFERENCE = "f51c66ba-d33a-4c59-b63a-aa270383fb9e"
DIGEST = "0123456789abcdef" * 4
HEADS = ("reference", "state", "process", "template", "received", "files", "warnings", "discrepancies")
ROW = (REFERENCE, "completed", 1037, "9fa70d4ccea84262b1ed2308a07a3fb4", "2026-01-01 12:00:00", 12, 3, 1)


def on_a_terminal(table: Table, width: int) -> str:
    terminal = Console(width=width, force_terminal=True, no_color=True, markup=False)
    with terminal.capture() as shown:
        terminal.print(table)
    return shown.get()


def test_narrow_terminal_shows_the_whole_reference_and_cuts_the_template() -> None:
    shown = on_a_terminal(table_of(HEADS, [ROW]), 80)

    assert REFERENCE in shown
    assert "9fa70d4ccea84262b1ed2308a07a3fb4"[-8:] not in shown
    assert "…" in shown


def test_long_id_is_folded_to_leave_room_for_other_columns() -> None:
    heads = ("receipt", "received", "bytes", "code", "where", "detail")
    shown = on_a_terminal(table_of(heads, [(DIGEST, "2026-01-01 12:00:00", 812, "BAD_JSON", "", "no JSON")]), 80)

    folded = "".join(line.split()[0] for line in shown.splitlines() if line[1:2] in "0123456789abcdef" and line.strip())
    assert folded == DIGEST
    assert "BAD" in shown


@pytest.mark.parametrize("first", ["x" * 200, "ש" * 100, "1"], ids=["long", "Hebrew", "short"])
@pytest.mark.parametrize("width", [40, 60, 80])
def test_first_column_is_never_cut(first: str, width: int) -> None:
    shown = on_a_terminal(table_of(HEADS, [(first, *ROW[1:])]), width)

    assert shown.count(first[0]) >= len(first)


def test_last_column_is_folded_and_not_cut_beside_a_whole_reference() -> None:
    row = (REFERENCE, "4711", "0c7ee03c0c", "Nov 26 09:25", "SESSIONS_MISSING at sessions")
    shown = on_a_terminal(table_of(("reference", "process", "receipt", "received", "reason"), [row]), 100)

    assert [each for each in " ".join(row).split() if each not in shown.split()] == []


def test_pipe_gets_each_row_whole_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    words = "x " * 20_000

    console().print(table_of(HEADS, [(*ROW[:-1], words)]))

    (line,) = [each for each in capsys.readouterr().out.splitlines() if REFERENCE in each]
    assert all(str(each) in line for each in ROW[:-1])
    assert words.strip() in line


def test_markup_and_control_characters_are_printed_as_text() -> None:
    shown = on_a_terminal(table_of(("what",), [("[red]a\x1b[0m",)]), 80)

    assert "[red]a\\x1b[0m" in shown


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
