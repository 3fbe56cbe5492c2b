"""`cellar rebuild`: rebuilds the metadata database from the store."""

import json
from dataclasses import asdict

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn

from cli.custody.place import require_store
from cli.terminal import Json
from services.custody.rebuilding import Rebuilt, check_empty, rebuild
from services.custody.verifying import stored_objects


def rebuild_database(*, as_json: Json = False) -> None:
    """Rebuild the metadata database from the store. The database must be empty, as after `cellar migrate`."""
    require_store()
    check_empty()
    with Progress(SpinnerColumn(), MofNCompleteColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("rebuild", total=None)
        rebuilt = rebuild(stored_objects(), lambda _: progress.advance(task))
    for key, reason in rebuilt.damaged:
        typer.echo(f"not rebuilt: {key}: {reason}", err=True)
    if as_json:
        damaged = [{"key": key, "reason": reason} for key, reason in rebuilt.damaged]
        typer.echo(json.dumps(asdict(rebuilt) | {"damaged": damaged}))
    else:
        _print(rebuilt)
    if rebuilt.damaged:
        raise typer.Exit(1)


def _print(rebuilt: Rebuilt) -> None:
    typer.echo(f"{rebuilt.archives} archives are in the database again; the sweep archives the deliveries in the inbox")
    others = {"settlement reports": rebuilt.reports, "session events": rebuilt.events}
    others |= {"refused deliveries": rebuilt.refused, "endpoints": rebuilt.endpoints}
    others["names of templates"] = rebuilt.templates
    for what, count in others.items():
        if count:
            typer.echo(f"{count} {what} are in the database again")
