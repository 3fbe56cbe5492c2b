"""`cellar discrepancies list`: lists all discrepancies, also discrepancies of no archive."""

from typing import Annotated

import typer
from pydantic import ValidationError

from cli.terminal import DiscrepancyLine, Json, console, print_discrepancy, print_json, wrong_options
from models.views.archives.payments import DiscrepancyQuery
from services.views import discrepancy_list

app = typer.Typer(help="List discrepancies, also those of no archive.", no_args_is_help=True)


@app.callback()
def discrepancies() -> None:
    """List discrepancies, also those of no archive."""


@app.command("list")
def list_discrepancies(  # noqa: PLR0913 -- an option per filter
    *,
    code: Annotated[str | None, typer.Option(help="A code, like AMOUNT_MISMATCH.")] = None,
    state: Annotated[str | None, typer.Option(help="open, explained or closed. Default: open and explained.")] = None,
    reference: Annotated[str | None, typer.Option(help="An archive; '' for discrepancies of no archive.")] = None,
    source: Annotated[str | None, typer.Option(help="Discrepancies of archives of one source.")] = None,
    cursor: Annotated[str | None, typer.Option(help="`next` of the previous page.")] = None,
    limit: Annotated[int, typer.Option(help="Discrepancies on a page, at most 500.")] = 50,
    as_json: Json = False,
) -> None:
    """List discrepancies, ordered by code."""
    try:
        query = DiscrepancyQuery(code=code, state=state, reference=reference, source=source, cursor=cursor, limit=limit)
    except ValidationError as error:
        raise wrong_options(error) from error
    page = discrepancy_list.page(query)
    if as_json:
        print_json(page)
        return
    if not page.items:
        typer.echo("No discrepancy matches.")
        return
    terminal = console()
    for each in page.items:
        print_discrepancy(terminal, DiscrepancyLine.of(each), f" of {each.reference or 'no archive'}")
    if page.next:
        terminal.print(f"More: --cursor {page.next}", soft_wrap=True, highlight=False)
