"""`cellar missing list`: lists processes that should have been archived, and dismisses findings."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer

from cli.options import filters
from cli.person import NotKept, person
from cli.results import print_list
from cli.terminal import Csv, Folds, Json, Wide, cell, dismissal, print_json, time_text
from domain.completeness.missing import left_text, why_text
from models.views.troubles import FindingState, MissingQuery, MissingView
from services.completeness import finding_missing
from services.views import troubles

app = typer.Typer(help="List processes whose archives are missing, and dismiss findings.", no_args_is_help=True)
_LISTED = ("reference", "left", Folds("why"), "process", "source", "deadline", "transaction", "id")


@app.command("list")
@filters(MissingQuery)
def list_missing(query: MissingQuery, *, wide: Wide = False, as_csv: Csv = False, as_json: Json = False) -> None:
    """List processes whose archives are missing, the nearest deadline first."""
    nothing = "No process is missing." if query.state is FindingState.OPEN else "No finding matches."
    page, row = troubles.missing_page(query), partial(_row, datetime.now(UTC))
    print_list(page, _LISTED, row, nothing=nothing, wide=wide, as_csv=as_csv, as_json=as_json)


@app.command()
def dismiss(
    missing_id: Annotated[str, typer.Argument(help="The id of a finding, as `cellar missing list` shows it.")],
    *,
    why: Annotated[str, typer.Option(help="Why the process is not missing, or will not come.")],
    _by: NotKept = None,
    as_json: Json = False,
) -> None:
    """Dismiss a finding. It stays in the history; a later submission of the process opens another finding."""
    found = finding_missing.dismiss(missing_id, dismissal(person(), why), datetime.now(UTC))
    if as_json:
        print_json(found)
    else:
        typer.echo(cell(f"{found.missing_id} is dismissed by {found.closed_by}: {found.closed_reason}"))


def _row(now: datetime, found: MissingView) -> tuple[object, ...]:
    left = found.closed_why or left_text(found.deadline_at, now)
    about = (found.reference, left, why_text(found.why), found.process_number, found.source)
    return *about, time_text(found.deadline_at), found.transaction_number, found.missing_id
