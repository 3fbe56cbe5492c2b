"""`cellar discrepancies list`: lists all discrepancies, also discrepancies of no archive."""

from collections.abc import Sequence
from typing import Annotated

import typer

from cli.results import print_page
from cli.terminal import Csv, Json, console, named_options, print_discrepancy, print_table, time_text
from models.views.archives.payments import DiscrepancyQuery, ListedDiscrepancy
from services.views import troubles

app = typer.Typer(help="List discrepancies, including those that belong to no archive.", no_args_is_help=True)
_LISTED = ("id", "code", "state", "since", "reference", "transaction", "expected", "found", "explained by", "why")


@app.command("list")
def list_discrepancies(  # noqa: PLR0913 -- an option per filter
    *,
    code: Annotated[str | None, typer.Option(help="A code, like AMOUNT_MISMATCH.")] = None,
    state: Annotated[str | None, typer.Option(help="open, explained or closed. Default: open and explained.")] = None,
    reference: Annotated[str | None, typer.Option(help="An archive; '' for discrepancies of no archive.")] = None,
    source: Annotated[str | None, typer.Option(help="Only discrepancies of archives of this source.")] = None,
    cursor: Annotated[str | None, typer.Option(help="`next` of the previous page.")] = None,
    limit: Annotated[int, typer.Option(help="Discrepancies per page, at most 500.")] = 50,
    as_csv: Csv = False,
    as_json: Json = False,
) -> None:
    """List discrepancies, ordered by code."""
    with named_options():
        query = DiscrepancyQuery(code=code, state=state, reference=reference, source=source, cursor=cursor, limit=limit)
    show = _print_csv if as_csv else _print_list
    nothing = "No discrepancy matches."
    print_page(troubles.discrepancy_page(query), show, nothing=nothing, as_json=as_json, as_csv=as_csv)


def _print_list(found: Sequence[ListedDiscrepancy]) -> None:
    terminal = console()
    for each in found:
        print_discrepancy(terminal, each, f" of {each.reference or 'no archive'}")


def _print_csv(found: Sequence[ListedDiscrepancy]) -> None:
    print_table(_LISTED, map(_row, found), as_csv=True)


def _row(found: ListedDiscrepancy) -> tuple[object, ...]:
    about = (found.discrepancy_id, found.code, found.state, time_text(found.closed_at or found.opened_at))
    explained = found.explanation
    by, why = (explained.by, explained.why) if explained else (None, None)
    return *about, found.reference, found.transaction_id, found.expected, found.found, by, why
