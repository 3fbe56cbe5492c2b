"""Prints tables, CSV and JSON. In a file or pipe, a line of a table is as long as needed.

A terminal gets the columns for which it has room, those on the left first. No cell is cut: half a number reads as
another number. The first column always stays, and folds, because people copy it.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Annotated, Any

import typer
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from adapters.settings.settings import settings
from models.views.archives.payments import DiscrepancyView
from models.views.parameters import Dismissal, read_moment

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print all columns as CSV, for spreadsheets.")]
Wide = Annotated[bool, typer.Option("--wide", help="Print all columns, even if a terminal breaks their lines.")]

_WIDTH_IN_FILES = 1_000_000  # a table uses as much of it as it needs
_GAP = 2
_UNFOLDED = 36  # the length of a reference
_UNFOLDED_TEXT = 25
_NUMBER = re.compile(r"|–|[\d,.]*\d( [A-Z]{3})?")


class Folds(str):
    """The head of a column of texts: they fold between words where the terminal is narrower than they are."""

    __slots__ = ()


def time_option(about: str) -> Any:
    """Return an option that takes a time as people write it, in the zone in which times are shown."""
    return typer.Option(
        parser=_read_time, metavar="TIME", help=f"{about}: 2026-11-24, 2026-11-24T10:30, yesterday, 7d."
    )


def _read_time(text: str) -> datetime:
    try:
        return read_moment(text, settings().zone, datetime.now(UTC))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def time_text(moment: datetime | None, timespec: str = "minutes") -> str:
    """Return a time in the zone of the console, with its offset: `2026-11-24 12:30+02`, or `2026-11-24 10:30Z`."""
    if moment is None:
        return "–"
    text = moment.astimezone(settings().zone).isoformat(" ", timespec)
    return text.replace("+00:00", "Z").removesuffix(":00")


def console(*, wide: bool = False) -> Console:
    """Return a console without markup: text from a payload may look like markup and is printed as it is."""
    terminal = Console(markup=False, emoji=False)
    is_narrow = terminal.file.isatty() and not wide
    return terminal if is_narrow else Console(markup=False, emoji=False, width=_WIDTH_IN_FILES)


def print_table(
    heads: Sequence[str], rows: Iterable[Sequence[object]], *, wide: bool = False, as_csv: bool = False
) -> None:
    """Print the table of a list as CSV, or as far as it fits; with `wide`, all of it."""
    if not as_csv:
        print_fitted(console(wide=wide), heads, rows, all_by="--wide")
        return
    from adapters.lists.list_files import line_of_csv  # noqa: PLC0415 -- for CSV alone

    for each in (heads, *rows):
        typer.echo(line_of_csv(each), nl=False)


def print_fitted(
    terminal: Console, heads: Sequence[str], rows: Iterable[Sequence[object]], *, all_by: str = "--json"
) -> None:
    """Print the columns of a table for which a terminal has room, and the names of the others."""
    table, left_out = fitted(heads, rows, terminal.width)
    print_rows(terminal, table)
    if left_out:
        terminal.print(Text(f"{all_by} also shows: {', '.join(left_out)}", style="dim"))


def print_rows(terminal: Console, table: Table) -> None:
    """Print a table; in a file or pipe, without the blanks that fill its last column."""
    if terminal.is_terminal:
        terminal.print(table)
        return
    with terminal.capture() as rows:
        terminal.print(table)
    for row in rows.get().splitlines():
        terminal.print(Text(row.rstrip()), soft_wrap=True)


def fitted(heads: Sequence[str], rows: Iterable[Sequence[object]], width: int) -> tuple[Table, list[str]]:
    """Return the table of the columns that fit, and the heads of the others.

    A column has its place if there is room for it beside the columns before it. A column without any value has none.
    """
    first, *others = zip(heads, *([cell(each) for each in row] for row in rows), strict=True)
    kept, left_out, room = list[tuple[tuple[str, ...], int, int]](), list[str](), width + _GAP
    for column in (first, *(each for each in others if any(each[1:]))):
        most = max(map(cell_len, column))
        least = min(most, _UNFOLDED_TEXT) if isinstance(column[0], Folds) else most
        least = min(least, _UNFOLDED, width) if column is first else least
        if column is first or least + _GAP <= room:
            kept.append((column, least, most))
            room -= least + _GAP
        else:
            left_out.append(column[0])
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False)
    for (head, *cells), least, most in kept:
        more = min(most - least, max(room, 0))
        room -= more
        is_amount = head is not first[0] and all(map(_NUMBER.fullmatch, cells))
        justify: JustifyMethod = "right" if is_amount else "left"
        table.add_column(head, width=least + more, overflow="fold", justify=justify)
    for row in zip(*(column[1:] for column, _, _ in kept), strict=True):
        table.add_row(*row)
    return table, left_out


def cell(value: object) -> str:
    """Return text for a terminal. Characters that move the cursor, colour text or reverse it are shown as escapes."""
    text = "" if value is None else str(value)
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def paragraph(text: str, indent: int = 2) -> Padding:
    """Return an indented text, which a terminal folds between words. Without the characters that `cell` escapes."""
    return Padding(Text("\n".join(map(cell, text.split("\n")))), (0, 0, 0, indent), expand=False)


def print_discrepancy(terminal: Console, found: DiscrepancyView, of: str = "") -> None:
    """Print a discrepancy. What people copy is never cut: the reference in `of`, the transaction and the id."""
    head = f"  {found.code}{of}: {found.state} since {time_text(found.closed_at or found.opened_at)}"
    terminal.print(Text(cell(head)), soft_wrap=True)
    if found.transaction_id:
        terminal.print(Text(cell(f"    transaction {found.transaction_id}")), soft_wrap=True)
    terminal.print(paragraph(found.sentence, indent=4))
    if explained := found.explanation:
        said = f"explained: {explained.why} ({explained.by}, {time_text(explained.at)})"
        terminal.print(paragraph(said, indent=4))
    terminal.print(Text(f"    id {found.discrepancy_id}"), soft_wrap=True)


@contextmanager
def counted() -> Iterator[Callable[[int], None]]:
    """Show on a terminal how much is done, where nobody knows before how much there is."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 -- slow

    columns, errors = (SpinnerColumn(), TextColumn("{task.completed:,}"), TimeElapsedColumn()), Console(stderr=True)
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task("", total=None)
        yield lambda number: progress.advance(task, number)


def can_ask() -> bool:
    """Return whether a terminal can answer a question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


@contextmanager
def named_options() -> Iterator[None]:
    """Refuse a model whose values are wrong as BadParameter, which names the options of the values."""
    try:
        yield
    except ValidationError as error:
        raise typer.BadParameter("; ".join(map(_wrong_option, error.errors()))) from error


def dismissal(by: str, why: str) -> Dismissal:
    """Return what a person says by the option `--why`. Raises BadParameter if the reason is empty, or too long."""
    with named_options():
        return Dismissal(by=by, why=why)


def _wrong_option(error: ErrorDetails) -> str:
    option = f"--{_option(error)}"
    if error["type"] == "value_error":
        return f"{option}: {error['ctx']['error']}"
    if error["type"] not in ("enum", "literal_error"):
        return f"{option}: {error['msg'].replace('Input should be', 'expected')}"
    known = re.findall("'([^']*)'", error["ctx"]["expected"])
    spelled = {each.upper(): each for each in known}
    nearest = get_close_matches(str(error["input"]).upper().replace("-", "_"), spelled, n=1)
    hint = f"; did you mean {spelled[nearest[0]]}?" if nearest else ""
    return f"{option}: expected {', '.join(known[:-1])} or {known[-1]}{hint}"


def _option(error: ErrorDetails) -> str:
    """Return the option of a wrong value. The members of `events` come from several `--event`."""
    names = [each for each in error["loc"] if isinstance(each, str)]
    if names and (len(names) < len(error["loc"]) or isinstance(error["input"], dict | list)):
        names = [names[0].removesuffix("s")]
    return "-".join(names).replace("_", "-")


def print_json(model: BaseModel) -> None:
    typer.echo(model.model_dump_json(indent=2))
