"""`cellar rebuild`: rebuilds the metadata database from the store."""

import json

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn

from cli.custody.place import require_store
from cli.terminal import Json
from services.custody.rebuilding import Rebuilt, check_empty, rebuild
from services.custody.verifying import stored_objects


def rebuild_database(*, as_json: Json = False) -> None:
    """Rebuild the metadata database from the store alone. The database must be empty, as after `cellar migrate`."""
    require_store()
    check_empty()
    with Progress(SpinnerColumn(), MofNCompleteColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("rebuild", total=None)
        rebuilt = rebuild(stored_objects(), lambda _: progress.advance(task))
    for key, reason in rebuilt.damaged:
        typer.echo(f"not rebuilt: {key}: {reason}", err=True)
    if as_json:
        damaged = [{"key": key, "reason": reason} for key, reason in rebuilt.damaged]
        typer.echo(
            json.dumps(
                {
                    "archives": rebuilt.archives,
                    "reports": rebuilt.reports,
                    "events": rebuilt.events,
                    "refused": rebuilt.refused,
                    "endpoints": rebuilt.endpoints,
                    "damaged": damaged,
                }
            )
        )
    else:
        _print(rebuilt)
    if rebuilt.damaged:
        raise typer.Exit(1)


def _print(rebuilt: Rebuilt) -> None:
    typer.echo(f"{rebuilt.archives} archives are in the database again; the sweep archives the deliveries in the inbox")
    if rebuilt.reports:
        typer.echo(f"{rebuilt.reports} settlement reports are in the database again")
    if rebuilt.events:
        typer.echo(f"{rebuilt.events} session events are in the database again")
    if rebuilt.refused:
        typer.echo(f"{rebuilt.refused} refused deliveries are in the database again")
    if rebuilt.endpoints:
        typer.echo(f"{rebuilt.endpoints} endpoints are in the database again")
