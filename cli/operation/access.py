"""`cellar access`: shows who saw, searched, took and changed what."""

from typing import Annotated

import typer

from cli.options import filters
from cli.results import print_list
from cli.terminal import Csv, Folds, Wide, time_text
from models.views.access import AccessQuery, AccessView
from services.views import access_list

_LISTED = ("time", "person", "role", "action", "outcome", "reference", "address", Folds("detail"))


@filters(AccessQuery)
def access(
    query: AccessQuery,
    *,
    wide: Wide = False,
    as_csv: Csv = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all records, a line of JSON each.")] = False,
) -> None:
    """Show who saw, searched, took and changed what, newest first. `cellar verify` checks that nothing was altered."""
    if as_json:
        for each in access_list.every(query):
            typer.echo(each.model_dump_json())
        return
    page, nothing = access_list.page(query), "No record matches."
    print_list(page, _LISTED, _row, nothing=nothing, wide=wide, as_csv=as_csv, as_json=False)


def _row(found: AccessView) -> tuple[object, ...]:
    detail = ", ".join(
        f"{name} {' '.join(value) if isinstance(value, dict) else value}" for name, value in found.detail.items()
    )
    about = (found.person, found.role, found.action, found.outcome, found.reference, found.address)
    return time_text(found.at, "seconds"), *about, detail
