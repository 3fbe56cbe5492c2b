"""`cellar discrepancies`: lists the discrepancies of all archives, and those of no archive."""

from typing import Annotated

import typer
from pydantic import ValidationError

from cli.terminal import DiscrepancyLine, Json, console, print_json, table_of, wrong_options
from models.errors import Refused
from models.views.payments import DiscrepancyPage, DiscrepancyQuery
from services.views import discrepancy_list


def list_discrepancies(
    *,
    code: Annotated[str | None, typer.Option(help="A code, like AMOUNT_MISMATCH.")] = None,
    state: Annotated[str | None, typer.Option(help="open, explained or closed. Default: open and explained.")] = None,
    reference: Annotated[str | None, typer.Option(help="An archive; '' for discrepancies of no archive.")] = None,
    cursor: Annotated[str | None, typer.Option(help="`next` of the previous page.")] = None,
    limit: int = 50,
    as_json: Json = False,
) -> None:
    """List discrepancies, ordered by code."""
    try:
        query = DiscrepancyQuery(code=code, state=state, reference=reference, cursor=cursor, limit=limit)
    except ValidationError as error:
        raise wrong_options(error) from error
    page = _page(query)
    if as_json:
        print_json(page)
        return
    rows = [(each.reference, *DiscrepancyLine.of(each).model_dump().values()) for each in page.items]
    console().print(table_of(("reference", *DiscrepancyLine.model_fields), rows))
    if page.next:
        console().print(f"More: --cursor {page.next}")


def _page(query: DiscrepancyQuery) -> DiscrepancyPage:
    try:
        return discrepancy_list.page(query)
    except Refused as refused:
        raise typer.BadParameter(f"--{refused.where}: {refused.detail}") from refused
