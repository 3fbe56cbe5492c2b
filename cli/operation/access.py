"""`cellar access`: shows who saw, searched, took and changed what."""

from datetime import datetime
from typing import Annotated

import typer

from cli.results import print_list
from cli.terminal import Csv, Folds, Wide, named_options, time_option, time_text
from models.views.access import AccessQuery, AccessView
from services.views import access_list

_LISTED = ("time", "person", "role", "action", "outcome", "reference", "address", Folds("detail"))


def access(  # noqa: PLR0913 -- an option per filter
    *,
    person: Annotated[str | None, typer.Option(help="The name of a login or a token.")] = None,
    reference: Annotated[str | None, typer.Option(help="A full process reference.")] = None,
    action: Annotated[
        str | None, typer.Option(help="An action, such as read_archive, unmask or download_file.")
    ] = None,
    since: Annotated[datetime | None, time_option("Recorded from this time on")] = None,
    until: Annotated[datetime | None, time_option("Recorded before this time")] = None,
    cursor: Annotated[str | None, typer.Option(help="`next` of the previous page.")] = None,
    limit: Annotated[int, typer.Option(help="Records of a table, at most 500.")] = 50,
    wide: Wide = False,
    as_csv: Csv = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all records, a line of JSON each.")] = False,
) -> None:
    """Show who saw, searched, took and changed what, newest first. `cellar verify` checks that nothing was altered."""
    with named_options():
        asked = {"person": person, "reference": reference, "action": action, "since": since, "until": until}
        query = AccessQuery.model_validate(asked | {"cursor": cursor, "limit": limit})
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
