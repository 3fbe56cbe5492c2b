"""`cellar explain`: why a discrepancy is in order, and who says so."""

import getpass
from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic import ValidationError

from adapters import discrepancies
from domain.cards import masked
from models.discrepancy import Discrepancy
from models.errors import Refused
from models.view import Explanation


def explain(
    reference: str,
    code: Annotated[str, typer.Argument(help="Its code, or the id that `cellar show` tells.")],
    *,
    why: Annotated[str, typer.Option(help="Why it is in order.")],
    by: Annotated[str, typer.Option(help="Who says so.", default_factory=getpass.getuser, show_default="your user")],
    transaction: Annotated[str | None, typer.Option(help="The transaction, where there are several.")] = None,
) -> None:
    """Explain a discrepancy of an archive. It stays so until its numbers change or its cause is gone."""
    said = _said(by, why)
    discrepancy_id, read = _meant(reference, code, transaction)
    for_these = said.model_copy(update={"expected": read.expected, "found": read.found})
    discrepancies.explain(discrepancy_id, for_these, datetime.now(UTC))


def _said(by: str, why: str) -> Explanation:
    try:
        return Explanation(by=by, why=why)
    except ValidationError as error:
        wrong = " and ".join(f"--{each['loc'][0]}" for each in error.errors())
        raise typer.BadParameter(f"{wrong}: expected some text, of 10,000 characters at most") from error


def _meant(reference: str, code: str, transaction: str | None) -> tuple[str, Discrepancy]:
    """Find the one that is meant, with its id.

    Raises:
        Refused: none is, or several are.
    """
    shown = None if transaction is None else masked(transaction)
    found = [
        (discrepancy_id, each)
        for discrepancy_id, each in discrepancies.standing(reference).items()
        if code in (each.code, discrepancy_id) and shown in (None, each.transaction_id)
    ]
    if not found:
        raise Refused("UNKNOWN_DISCREPANCY", "that archive has none of this code that is not closed; try `cellar show`")
    if len(found) > 1:
        raise Refused("SEVERAL_DISCREPANCIES", f"there are {len(found)}: give --transaction, or its id for the code")
    return found[0]
