"""`cellar settle`: imports the provider's settlement reports, and compares them with the payments of the archives."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.terminal import console, print_fitted
from domain.payments.amounts import amount_text, exponent_of
from models.errors import Refused
from models.settlements.settlement import DayTotal, SettlementSummary
from services.settlements import importing
from services.settlements.importing import OnProgress

_WRONG_USE = 2
_MOST_SHOWN = 50
_TOTALS = ("settled on", "currency", "rows", "unmatched", "charged", "refunded", "charged back", "fees")
_console = Console(markup=False, emoji=False, soft_wrap=True)


def settle(
    files: Annotated[
        list[Path], typer.Argument(exists=True, dir_okay=False, readable=True, help="Settlement reports, as CSV files.")
    ],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what an import would find, and change nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Import settlement reports. If a report is wrong, no report is imported.

    Exits with 1 if there is a discrepancy that nobody has explained, and with 2 if a report is wrong.
    """
    named = ((str(each), each.read_bytes()) for each in files)
    try:
        with _progress() as on_progress:
            form = importing.report_format()
            summary, _ = importing.take_files(named, form, datetime.now(UTC), on_progress, is_preview=dry_run)
    except Refused as refused:
        typer.echo(f"cellar settle: {refused}; nothing was imported", err=True)
        raise typer.Exit(_WRONG_USE) from refused
    if as_json:
        typer.echo(json.dumps(_shown(summary), default=str))
    else:
        _print(summary, dry_run=dry_run)
    if summary.unexplained:
        raise typer.Exit(1)


@contextmanager
def _progress() -> Iterator[OnProgress]:
    """Show the progress on a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks = {what: progress.add_task(what, total=None, start=False) for what in ("match", "judge")}

        def _on_progress(what: str, done: int, total: int) -> None:
            progress.start_task(tasks[what])
            progress.update(tasks[what], advance=done, total=total)

        yield _on_progress


def _shown(summary: SettlementSummary) -> dict[str, object]:
    findings = [
        {"reference": each.reference, "is_explained": each.is_explained} | asdict(each.discrepancy)
        for each in summary.findings
    ]
    counts = {"reports": summary.reports, "rows": summary.entries, "new": summary.new, "matched": summary.matched}
    return counts | summary.sides | {"totals": [asdict(each) for each in summary.totals], "findings": findings}


def _print(summary: SettlementSummary, *, dry_run: bool) -> None:
    for each in summary.findings[:_MOST_SHOWN]:
        told = each.discrepancy
        state = " (explained)" if each.is_explained else ""
        where = each.reference or "(no archive)"
        _console.print(f"{told.code}{state}: {where}: expected {told.expected}, found {told.found}")
    if len(summary.findings) > _MOST_SHOWN:
        _console.print(f"and {len(summary.findings) - _MOST_SHOWN} more; --json prints all")
    print_fitted(console(), _TOTALS, map(_day, summary.totals))
    sides = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in summary.sides.items())
    _console.print(f"{summary.entries} rows, {summary.new} of them new: {summary.matched} matched, {sides}")
    if dry_run:
        _console.print("This was a dry run: nothing has changed.")


def _day(total: DayTotal) -> tuple[object, ...]:
    amounts = (total.charged_minor, total.refunded_minor, total.charged_back_minor, total.fees_minor)
    shown = [amount_text(minor, "", exponent_of(total.currency)).strip() for minor in amounts]
    return total.settled_on, total.currency, total.entries, total.unmatched, *shown
