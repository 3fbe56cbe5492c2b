"""Prints tables of figures, and writes them between their markers in a page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

Rows = list[list[str]]
GOALS = ["what", "at least", "reached", ""]
PAGES = Path(__file__).parent


def at_least(what: str, goal: float, reached: float) -> list[str]:
    return [what, f"{goal:g}", f"{reached:.2f}", "" if reached >= goal else "falls short"]


def at_most(what: str, goal: float, reached: float, *, decimals: int = 0) -> list[str]:
    return [what, f"at most {goal:g}", f"{reached:.{decimals}f}", "" if reached <= goal else "falls short"]


def publish(tables: Mapping[str, tuple[list[str], Rows]], texts: Mapping[str, str], file: Path) -> None:
    """Print tables, and write tables and texts into a page, each between the markers of its name."""
    page = file.read_text()
    for name, (head, rows) in tables.items():
        _print(head, rows)
        page = _replaced(page, name, _markdown(head, rows))
    for name, text in texts.items():
        page = _replaced(page, name, text)
    file.write_text(page)


def machine(measured: dict[str, Any]) -> str:
    """Return a description of the machine and of the number of rounds."""
    found, count = measured["machine"], measured["rounds"]
    rounds = "one round" if count == 1 else f"medians of {count} interleaved rounds"
    return (
        f"{found['cores']} cores ({found['processor']}), {found['memory_gb']} GB, {found['system']}, "
        f"Python {found['python']}; {rounds}."
    )


def _print(head: list[str], rows: Rows) -> None:
    table = Table(*head)
    for row in rows:
        table.add_row(*row)
    Console(width=200).print(table)


def _markdown(head: list[str], rows: Rows) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def _replaced(text: str, name: str, made: str) -> str:
    before, begin, rest = text.partition(f"<!-- {name} -->")
    _, end, after = rest.partition(f"<!-- end of {name} -->")
    if not (begin and end):
        raise LookupError(f"the page has no markers for {name}")
    return f"{before}{begin}\n{made}\n{end}{after}"
