"""Prints what a command found: as JSON for scripts, or for people."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import typer
from pydantic import BaseModel

from cli.terminal import cell, console, print_json, print_table

Found = TypeVar("Found", bound=BaseModel)


def print_found(found: Found, show: Callable[[Found], None], *, as_json: bool) -> None:
    """Print JSON, or what `show` prints."""
    if as_json:
        print_json(found)
    else:
        show(found)


def print_list(  # noqa: PLR0913 -- the options of a list
    found: Any,
    heads: Sequence[str],
    row: Callable[[Any], Sequence[object]],
    *,
    nothing: str = "",
    wide: bool = False,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Print a list, or a page of it: a row of a table or of CSV for each item, or JSON; `nothing` if it is empty."""

    def _print(items: Sequence[Any]) -> None:
        print_table(heads, map(row, items), wide=wide, as_csv=as_csv)

    print_page(found, _print, nothing=nothing, as_csv=as_csv, as_json=as_json)


def print_page(page: Any, show: Callable[[Sequence[Any]], None], *, nothing: str, as_csv: bool, as_json: bool) -> None:
    """Print what `show` prints of the items of a page, and how the next page is called. Otherwise as `print_list`."""
    if as_json:
        print_json(page)
    elif nothing and not (page.items or as_csv):
        say(nothing)
    else:
        show(page.items)
        if following := getattr(page, "next", None):
            typer.echo(f"More: --cursor {following}", err=as_csv)


def say(text: str) -> None:
    """Print a line. What people copy, like a secret, is never cut."""
    console().print(cell(text), soft_wrap=True, highlight=False)
