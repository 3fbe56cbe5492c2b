"""Prints checks, one a line: the name, the verdict, what was found, and below it what to do."""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from cli.terminal import cell
from models.views.health import Check, Verdict

_STYLES = {Verdict.OK: "green", Verdict.OFF: "dim", Verdict.WARNING: "yellow", Verdict.WRONG: "bold red"}


def print_checks(terminal: Console, checks: Iterable[Check]) -> None:
    table = Table(
        Column("check", no_wrap=True),
        Column("verdict", no_wrap=True),
        Column("found", overflow="fold"),
        box=None,
        padding=(0, 2, 0, 0),
        pad_edge=False,
        show_header=False,
    )
    for each in checks:
        found = Text(cell(each.found))
        if each.to_do:
            found.append(f"\n→ {cell(each.to_do)}")
        table.add_row(cell(each.name), Text(each.verdict, style=_STYLES[each.verdict]), found)
    terminal.print(table)


def count_text(checks: Iterable[Check]) -> str:
    """Return how many checks are wrong or warn, such as `1 check is wrong, 2 checks warn`; empty if none does. Pure."""
    verdicts = [each.verdict for each in checks]
    wrong, warnings = verdicts.count(Verdict.WRONG), verdicts.count(Verdict.WARNING)
    parts = [f"{wrong} {'check is' if wrong == 1 else 'checks are'} wrong"] if wrong else []
    parts += [f"{warnings} {'check warns' if warnings == 1 else 'checks warn'}"] if warnings else []
    return ", ".join(parts)


def is_wrong(checks: Iterable[Check]) -> bool:
    return any(each.verdict is Verdict.WRONG for each in checks)
