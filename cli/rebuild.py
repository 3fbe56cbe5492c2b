"""`cellar rebuild`: the metadata database, made again from the store."""

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from flows.rebuilding import check_empty, rebuild
from flows.verifying import stored_objects


def rebuild_database() -> None:
    """Make the metadata database again from the store alone, into an empty one as `cellar migrate` leaves it."""
    check_empty()
    objects = [each for each in stored_objects() if each.key]
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("rebuild", total=len(objects))
        count = rebuild(objects, lambda _: progress.advance(task))
    typer.echo(f"{count} archives are in the database again; the sweep takes in what still waits in the inbox")
