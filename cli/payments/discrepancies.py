"""`cellar discrepancies`: what does not add up, over all archives and in what belongs to none."""

from typing import Annotated

import typer
from pydantic import ValidationError

from cli.terminal import DiscrepancyLine, Json, console, print_json, table_of, wrong_options
from models.errors import Refused
from models.views.payments import DiscrepancyPage, DiscrepancyQuery
from services.views import discrepancy_list


def list_discrepancies(
    *,
    code: Annotated[str | None, typer.Option(help="like AMOUNT_MISMATCH")] = None,
    state: Annotated[str | None, typer.Option(help="open, explained or closed; without it all but closed ones")] = None,
    reference: Annotated[str | None, typer.Option(help="an archive; '' for what belongs to none")] = None,
    cursor: Annotated[str | None, typer.Option(help="`next` of the page before")] = None,
    limit: int = 50,
    as_json: Json = False,
) -> None:
    """List discrepancies, in the order of their codes."""
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
