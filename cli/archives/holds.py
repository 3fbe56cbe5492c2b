"""`cellar hold`: puts archives on legal hold and releases them. `cellar holds`: lists the holds."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.options import filters, person
from cli.results import print_list
from cli.terminal import Csv, Folds, Json, Wide, named_options, time_text
from domain.people.letters import count_text
from models.views.archives.archives import ArchiveFilter
from models.views.archives.holds import Holding, HoldQuery, HoldView
from services import holds

app = typer.Typer(help="List legal holds.", no_args_is_help=True)
_LISTED = ("reference", "state", Folds("reason"), "until", "by", "since", Folds("released"), "hold")


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


@app.command("list")
@filters(HoldQuery)
def list_holds(query: HoldQuery, *, wide: Wide = False, as_csv: Csv = False, as_json: Json = False) -> None:
    """List legal holds, newest first."""
    nothing = "No hold matches."
    print_list(holds.page(query), _LISTED, _row, nothing=nothing, wide=wide, as_csv=as_csv, as_json=as_json)


def _row(found: HoldView) -> tuple[object, ...]:
    state = "in force" if found.in_force else "released" if found.released_at else "past"
    released = f"{time_text(found.released_at)} by {found.released_by}" if found.released_at else None
    about = (found.reference, state, found.reason, found.until, found.by, time_text(found.at))
    return *about, released, found.hold_id
