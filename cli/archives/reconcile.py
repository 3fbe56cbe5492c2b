"""`cellar reconcile`: compares Cellosign's own list of its processes with the archives."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import orjson
import typer

from cli.terminal import Folds, Json, console, counted, print_fitted, time_text
from domain.words.codes import WORDS
from models.completeness.listed import DifferenceKind, ListDifference
from models.errors import Refused
from services.completeness.reconciling import Reconciled, reconcile_list

_WRONG_USE = 2
_MOST_SHOWN = 50


def reconcile(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, readable=True, help="Export of Cellosign's processes: xlsx or csv."
        ),
    ],
    *,
    source: Annotated[
        str | None, typer.Option(help="Source that the list is about. Default: all sources.", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what differs, and record nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Compare Cellosign's list of processes with the archives.

    Missing processes become findings with the time at which Cellosign deletes them. Exits with 1 if list and archives
    differ or a row cannot be read, and with 2 if the file is not such a list.
    """
    try:
        with counted() as on_rows:
            done = reconcile_list(file, source, datetime.now(UTC), on_rows, dry_run=dry_run)
    except Refused as refused:
        typer.echo(f"cellar reconcile: {file}: {refused}; nothing was recorded", err=True)
        raise typer.Exit(_WRONG_USE) from refused
    if as_json:
        typer.echo(orjson.dumps(_shown(done), option=orjson.OPT_INDENT_2).decode())
    else:
        _print(done, dry_run=dry_run)
    if not done.is_well:
        raise typer.Exit(1)


def _shown(done: Reconciled) -> dict[str, object]:
    compared, read = done.compared, done.read
    return {
        "file": done.kind,
        "rows": compared.listed,
        "matched": compared.matched,
        "not_due": compared.not_due,
        **{kind.value: count for kind, count in compared.counts.items()},
        "unread": read.unread_count,
        "left_out": read.left_out,
        "dismissed": done.dismissed,
        "new_findings": done.new_findings,
        "hint": compared.zone_hint or None,
        "differences": compared.differences,
        "unread_cells": read.unread,
    }


def _print(done: Reconciled, *, dry_run: bool) -> None:
    terminal, compared, read = console(), done.compared, done.read
    if compared.differences:
        heads = ("what", "process", "transaction", "rows", "in the list", "archived", Folds("reference or deadline"))
        print_fitted(terminal, heads, map(_line, compared.differences[:_MOST_SHOWN]))
    for each in read.unread[:_MOST_SHOWN]:
        terminal.print(f"row {each.row}, column {each.column}: {each.code}: {each.detail}", soft_wrap=True)
    hidden = max(len(compared.differences) - _MOST_SHOWN, 0) + max(read.unread_count - _MOST_SHOWN, 0)
    if hidden:
        terminal.print(f"and {hidden:,} more; --json has all", soft_wrap=True)
    if compared.zone_hint:
        terminal.print(compared.zone_hint, soft_wrap=True)
    counts = [f"{compared.matched:,} archived", f"{compared.not_due:,} not due"]
    counts += [f"{count:,} {_word(kind)}" for kind, count in compared.counts.items()]
    counts += [f"{done.dismissed:,} dismissed", f"{read.unread_count:,} cells not read"]
    counts += [f"{read.left_out:,} rows of other sources"] if read.left_out else []
    terminal.print(f"{compared.listed:,} rows ({done.kind}): {', '.join(counts)}", soft_wrap=True)
    if dry_run:
        terminal.print("This was a dry run: no finding was recorded.")
    elif compared.counts[DifferenceKind.MISSING]:
        terminal.print(f"{done.new_findings:,} of the missing processes are new findings")


def _line(found: ListDifference) -> tuple[object, ...]:
    rows = ", ".join(map(str, found.rows[:5])) + (", …" if len(found.rows) > 5 else "")
    last = f"deleted {time_text(found.deadline_at)}" if found.deadline_at else found.reference
    return _word(found.kind), found.process_number, found.transaction_number, rows, found.listed, found.archived, last


def _word(kind: DifferenceKind) -> str:
    return WORDS[f"listed_{kind}"]
