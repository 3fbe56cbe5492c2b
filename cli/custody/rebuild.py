"""`cellar rebuild`: rebuilds the metadata database from the store."""

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn

from cli.custody.place import require_store
from services.custody.rebuilding import check_empty, rebuild
from services.custody.verifying import stored_objects


def rebuild_database() -> None:
    """Rebuild the metadata database from the store alone. The database must be empty, as after `cellar migrate`."""
    require_store()
    check_empty()
    with Progress(SpinnerColumn(), MofNCompleteColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("rebuild", total=None)
        rebuilt = rebuild(stored_objects(), lambda _: progress.advance(task))
    for key, reason in rebuilt.damaged:
        typer.echo(f"not rebuilt: {key}: {reason}", err=True)
    typer.echo(f"{rebuilt.archives} archives are in the database again; the sweep archives the deliveries in the inbox")
    if rebuilt.reports:
        typer.echo(f"{rebuilt.reports} settlement reports are in the database again")
    if rebuilt.refused:
        typer.echo(f"{rebuilt.refused} refused deliveries are in the database again")
    if rebuilt.damaged:
        raise typer.Exit(1)
