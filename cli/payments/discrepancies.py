"""`cellar discrepancies list`: lists discrepancies, also of no archive. `cellar explain`: says why one is in order."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic import ValidationError

from cli.options import NotKept, filters, person
from cli.results import print_list, print_page
from cli.terminal import Csv, Json, cell, console, print_discrepancy, print_json, time_text
from domain.secrets.cards import masked
from models.discrepancies import Discrepancy
from models.errors import Refused
from models.views.archives.payments import DiscrepancyQuery, Explanation, ListedDiscrepancy
from services.payments import discrepancies, recorded
from services.views import troubles

app = typer.Typer(help="List discrepancies, including those that belong to no archive.", no_args_is_help=True)
_LISTED = ("id", "code", "state", "since", "reference", "transaction", "expected", "found", "explained by", "why")


@app.command("list")
@filters(DiscrepancyQuery)
def list_discrepancies(query: DiscrepancyQuery, *, as_csv: Csv = False, as_json: Json = False) -> None:
    """List discrepancies, ordered by code."""
    page = troubles.discrepancy_page(query)
    if as_csv:
        print_list(page, _LISTED, _row, as_csv=True, as_json=as_json)
    else:
        print_page(page, _print, nothing="No discrepancy matches.", as_csv=False, as_json=as_json)


def _print(found: Sequence[ListedDiscrepancy]) -> None:
    terminal = console()
    for each in found:
        print_discrepancy(terminal, each, f" of {each.reference or 'no archive'}")


def _row(found: ListedDiscrepancy) -> tuple[object, ...]:
    about = (found.discrepancy_id, found.code, found.state, time_text(found.closed_at or found.opened_at))
    explained = found.explanation
    by, why = (explained.by, explained.why) if explained else (None, None)
    return *about, found.reference, found.transaction_id, found.expected, found.found, by, why


def explain(
    reference: Annotated[str | None, typer.Argument(help="A reference. If the discrepancy has none, use --id.")] = None,
    code: Annotated[str | None, typer.Argument(help="The code, or the id from `cellar show REFERENCE`.")] = None,
    *,
    why: Annotated[str, typer.Option(help="Why the discrepancy is in order.")],
    _by: NotKept = None,
    transaction: Annotated[
        str | None, typer.Option(help="The transaction, if several discrepancies have the code.")
    ] = None,
    discrepancy_id: Annotated[
        str | None, typer.Option("--id", help="The id from `cellar discrepancies list`, instead of archive and code.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Record why a discrepancy is in order. It stays explained until its values change or its cause is gone."""
    said = _said(person(), why)
    read: Discrepancy | ListedDiscrepancy
    if discrepancy_id is not None and (reference, code, transaction) == (None, None, None):
        found_id, read = discrepancy_id, _with_id(discrepancy_id)
    elif discrepancy_id is None and reference is not None and code is not None:
        found_id, read = _of_archive(reference, code, transaction)
    else:
        raise typer.BadParameter("expected REFERENCE and CODE, or --id alone")
    for_these = said.model_copy(update={"expected": read.expected, "found": read.found})
    discrepancies.explain(found_id, for_these, datetime.now(UTC))
    if as_json:
        print_json(_with_id(found_id))
    else:
        _print_explained(read, reference, said)


def _print_explained(explained: Discrepancy | ListedDiscrepancy, reference: str | None, said: Explanation) -> None:
    place = f" of {reference}" if reference else ""
    values = f"expected {explained.expected}, found {explained.found}"
    typer.echo(cell(f"{explained.code}{place} is explained by {said.by}: {said.why}"))
    typer.echo(cell(f"The explanation ends when these values change: {values}"))


def _said(by: str, why: str) -> Explanation:
    try:
        return Explanation(by=by, why=why)
    except ValidationError as error:
        wrong = " and ".join(f"--{each['loc'][0]}" for each in error.errors())
        raise typer.BadParameter(f"{wrong}: expected a text of at most 10,000 characters, not empty") from error


def _with_id(discrepancy_id: str) -> ListedDiscrepancy:
    found = troubles.find_discrepancy(discrepancy_id)
    if found is None:
        raise Refused("UNKNOWN_DISCREPANCY", "no discrepancy has this id; try `cellar discrepancies list`")
    return found


def _of_archive(reference: str, code: str, transaction: str | None) -> tuple[str, Discrepancy]:
    """Return the open or explained discrepancy that matches, with its id. Raises Refused if none or several do."""
    shown = None if transaction is None else masked(transaction)
    found = [
        (discrepancy_id, each)
        for discrepancy_id, each in recorded.not_closed_by_id(reference).items()
        if code in (each.code, discrepancy_id) and shown in (None, each.transaction_id)
    ]
    if not found:
        raise Refused("UNKNOWN_DISCREPANCY", "no open or explained discrepancy matches; try `cellar show REFERENCE`")
    if len(found) > 1:
        raise Refused(
            "SEVERAL_DISCREPANCIES",
            f"got {len(found)} discrepancies with this code: add --transaction, or give the id in place of the code",
        )
    return found[0]
