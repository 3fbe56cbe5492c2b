"""`cellar hold`: puts archives on legal hold and releases them."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.options import filters, person
from cli.terminal import Json, named_options
from domain.people.conditions import count_text
from models.views.archives.archives import ArchiveFilter
from models.views.archives.holds import Holding
from services import holds


@filters(ArchiveFilter, "reference", "references")
def hold(
    query: ArchiveFilter,
    references: Annotated[list[str] | None, typer.Argument(help="Process references.")] = None,
    *,
    reason: Annotated[str, typer.Option(help="Why the archives are put on hold, or released.")] = "",
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Its last day, like 2027-12-31.")] = None,
    release: Annotated[bool, typer.Option("--release", help="Release all holds of the archives.")] = False,
    as_json: Json = False,
) -> None:
    """Put archives on legal hold: each REFERENCE, or all archives that match the filters now. Or release them.

    Nobody can erase an archive on hold, and it is not due. Later archives that match are not on hold.
    """
    if bool(references) == (query != ArchiveFilter()):
        raise typer.BadParameter("expected either process references, or filters of archives")
    chosen = ArchiveFilter(references=references) if references else query
    now = datetime.now(UTC)
    if release:
        number, done = holds.release(chosen, person(), reason or None, now), "released"
    else:
        with named_options():
            said = Holding.model_validate({"reason": reason, "until": until})
        number, done = holds.put(chosen, said, person(), now), "put on hold"
    if as_json:
        typer.echo(json.dumps({"holds": number}))
    else:
        typer.echo(f"{count_text(number, 'hold' if release else 'archive')} {done}")
