"""Prints tables and JSON. In a file or pipe, a line of a table is as long as needed.

On a narrow terminal the first column is folded and never cut, because people copy it. Other columns end in an ellipsis:
half a number in the next line would read as another number.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Annotated, Any

import typer
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from adapters.settings.settings import settings
from models.views.archives.payments import DiscrepancyView
from models.views.parameters import Dismissal, read_moment

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]

_WIDTH_IN_FILES = 1_000_000  # a table uses as much of it as it needs
_UNFOLDED = 36  # the length of a reference


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


def time_text(moment: datetime, timespec: str = "minutes") -> str:
    """Return a time in the zone of the console, with its offset: `2026-11-24 12:30+02`, or `2026-11-24 10:30Z`."""
    text = moment.astimezone(settings().zone).isoformat(" ", timespec)
    return text.replace("+00:00", "Z").removesuffix(":00")


def console() -> Console:
    """Return a console without markup: text from a payload may look like markup and is printed as it is."""
    terminal = Console(markup=False, emoji=False)
    return terminal if terminal.file.isatty() else Console(markup=False, emoji=False, width=_WIDTH_IN_FILES)


def table_of(heads: Iterable[str], rows: Iterable[Sequence[object]], title: str | None = None) -> Table:
    first, *others = heads
    shown = [[cell(each) for each in row] for row in rows]
    longest = max((len(row[0]) for row in shown), default=0)
    # Without `no_wrap`, rich would narrow the first column below its least width, and cut the last column instead.
    whole = Column(first, overflow="fold", min_width=min(longest, _UNFOLDED), no_wrap=longest <= _UNFOLDED)
    table = Table(whole, *others, title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for row in shown:
        table.add_row(*row)
    return table


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
    """Return what the options `--by` and `--why` say.

    Raises:
        BadParameter: the name or the reason is empty, or too long.
    """
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
