"""`cellar explain`: why a discrepancy is in order, and who says so."""

import getpass
from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic import ValidationError

from domain.secrets.cards import masked
from models.errors import Refused
from models.payments.discrepancy import Discrepancy
from models.views.payments import Explanation, ListedDiscrepancy
from services.payments import discrepancies
from services.views import discrepancy_list


def explain(
    reference: Annotated[str | None, typer.Argument(help="The archive. One without is explained by --id.")] = None,
    code: Annotated[str | None, typer.Argument(help="Its code, or the id that `cellar show` tells.")] = None,
    *,
    why: Annotated[str, typer.Option(help="Why it is in order.")],
    by: Annotated[str, typer.Option(help="Who says so.", default_factory=getpass.getuser, show_default="your user")],
    transaction: Annotated[str | None, typer.Option(help="The transaction, where there are several.")] = None,
    discrepancy_id: Annotated[
        str | None, typer.Option("--id", help="The id that `cellar discrepancies` tells, in place of all of these.")
    ] = None,
) -> None:
    """Explain a discrepancy. It stays so until its numbers change or its cause is gone."""
    said = _said(by, why)
    read: Discrepancy | ListedDiscrepancy
    if discrepancy_id is not None and (reference, code, transaction) == (None, None, None):
        found_id, read = discrepancy_id, _with_id(discrepancy_id)
    elif discrepancy_id is None and reference is not None and code is not None:
        found_id, read = _of_archive(reference, code, transaction)
    else:
        raise typer.BadParameter("expected REFERENCE and CODE, or --id alone")
    for_these = said.model_copy(update={"expected": read.expected, "found": read.found})
    discrepancies.explain(found_id, for_these, datetime.now(UTC))


def _said(by: str, why: str) -> Explanation:
    try:
        return Explanation(by=by, why=why)
    except ValidationError as error:
        wrong = " and ".join(f"--{each['loc'][0]}" for each in error.errors())
        raise typer.BadParameter(f"{wrong}: expected some text, of 10,000 characters at most") from error


def _with_id(discrepancy_id: str) -> ListedDiscrepancy:
    found = discrepancy_list.find(discrepancy_id)
    if found is None:
        raise Refused("UNKNOWN_DISCREPANCY", "none has this id; try `cellar discrepancies`")
    return found


def _of_archive(reference: str, code: str, transaction: str | None) -> tuple[str, Discrepancy]:
    """Find the one that is meant, with its id.

    Raises:
        Refused: none is, or several are.
    """
    shown = None if transaction is None else masked(transaction)
    found = [
        (discrepancy_id, each)
        for discrepancy_id, each in discrepancies.not_closed_by_id(reference).items()
        if code in (each.code, discrepancy_id) and shown in (None, each.transaction_id)
    ]
    if not found:
        raise Refused("UNKNOWN_DISCREPANCY", "that archive has none of this code that is not closed; try `cellar show`")
    if len(found) > 1:
        raise Refused("SEVERAL_DISCREPANCIES", f"there are {len(found)}: give --transaction, or its id for the code")
    return found[0]
