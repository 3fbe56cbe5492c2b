"""Prints what a command found: as JSON for scripts, or for people."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import typer
from pydantic import BaseModel

from cli.terminal import cell, console, print_json

Found = TypeVar("Found", bound=BaseModel)


def print_found(found: Found, show: Callable[[Found], None], *, as_json: bool) -> None:
    """Print JSON, or what `show` prints."""
    if as_json:
        print_json(found)
    else:
        show(found)


def print_page(
    page: Any, show: Callable[[Sequence[Any]], None], *, nothing: str, as_json: bool, as_csv: bool = False
) -> None:
    """Print a page of a list and how the next page is called; or `nothing` if it is empty."""
    if as_json:
        print_json(page)
    elif not (page.items or as_csv):
        say(nothing)
    else:
        show(page.items)
        if page.next:
            typer.echo(f"More: --cursor {page.next}", err=as_csv)


def say(text: str) -> None:
    """Print a line. What people copy, like a secret, is never cut."""
    console().print(cell(text), soft_wrap=True, highlight=False)
