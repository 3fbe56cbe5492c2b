"""Tables at the command line: what one would copy out of them is whole."""

from io import StringIO

import pytest
from rich.console import Console

from cli.terminal import console, table_of

REFERENCE = "f51c66ba-d33a-4c59-b63a-aa270383fb9e"
ROW = (REFERENCE, "completed", "1037", "9fa70d4ccea84262b1ed2308a07a3fb4", "2026-01-01 12:00:00", "12", "3", "1")
HEADS = ("reference", "state", "process", "template", "received", "files", "warnings", "discrepancies")


def test_reference_is_whole_on_a_narrow_terminal_and_nothing_is_half_in_the_next_line() -> None:
    table = table_of(*HEADS)
    table.add_row(*ROW)
    terminal = Console(width=80, file=StringIO(), force_terminal=True, no_color=True)

    with terminal.capture() as shown:
        terminal.print(table)

    assert REFERENCE in shown.get()
    assert "9fa70d4ccea84262b1ed2308a07a3fb4"[-8:] not in shown.get()
    assert "…" in shown.get()


def test_line_of_a_pipe_is_as_long_as_it_needs_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    table = table_of(*HEADS)
    table.add_row(*ROW[:-1], "x " * 2000)

    console().print(table)

    (line,) = [each for each in capsys.readouterr().out.splitlines() if REFERENCE in each]
    assert all(cell in line for cell in (*ROW[:-1], "x " * 1999))
    assert len(line) < 5000
