"""`cellar discrepancies list`: lists all discrepancies, also discrepancies of no archive."""

from collections.abc import Sequence
from typing import Annotated

import typer

from cli.results import print_page
from cli.terminal import Json, console, named_options, print_discrepancy
from models.views.archives.payments import DiscrepancyQuery, ListedDiscrepancy
from services.views import troubles

app = typer.Typer(help="List discrepancies, including those that belong to no archive.", no_args_is_help=True)


@app.callback()
def discrepancies() -> None:
    """List discrepancies, including those that belong to no archive."""


@app.command("list")
def list_discrepancies(  # noqa: PLR0913 -- an option per filter
    *,
    code: Annotated[str | None, typer.Option(help="A code, like AMOUNT_MISMATCH.")] = None,
    state: Annotated[str | None, typer.Option(help="open, explained or closed. Default: open and explained.")] = None,
    reference: Annotated[str | None, typer.Option(help="An archive; '' for discrepancies of no archive.")] = None,
    source: Annotated[str | None, typer.Option(help="Only discrepancies of archives of this source.")] = None,
    cursor: Annotated[str | None, typer.Option(help="`next` of the previous page.")] = None,
    limit: Annotated[int, typer.Option(help="Discrepancies per page, at most 500.")] = 50,
    as_json: Json = False,
) -> None:
    """List discrepancies, ordered by code."""
    with named_options():
        query = DiscrepancyQuery(code=code, state=state, reference=reference, source=source, cursor=cursor, limit=limit)
    print_page(troubles.discrepancy_page(query), _print_list, nothing="No discrepancy matches.", as_json=as_json)


def _print_list(found: Sequence[ListedDiscrepancy]) -> None:
    terminal = console()
    for each in found:
        print_discrepancy(terminal, each, f" of {each.reference or 'no archive'}")
