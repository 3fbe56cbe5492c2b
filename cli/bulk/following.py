"""Follows a bulk re-run to its end, with a progress bar on a terminal."""

import time

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from models.errors import Transient
from models.runs.bulk import BulkState
from models.views.bulk import BulkView
from services.bulk import records

_LOOK_S = 0.5
_AWAY_LOOK_S = 2
_BEGUN_WITHIN_S = 15
_INTERRUPTED = 130
_ENDED = (BulkState.DONE, BulkState.ABORTED)


def follow(bulk_id: str) -> BulkView | None:
    """Wait for the end of a bulk re-run. None if a person detached with Ctrl-C: the bulk re-run goes on.

    Raises:
        Refused: there is no such bulk re-run.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            return _followed(bulk_id, progress, progress.add_task("re-run", total=None))
    except KeyboardInterrupt:
        return None


def detached(bulk_id: str) -> typer.Exit:
    """Say how to follow or stop a bulk re-run that goes on, and return the exit of an interrupted command."""
    typer.echo(f"The bulk re-run goes on. `cellar bulk show {bulk_id} --follow` follows it.", err=True)
    typer.echo(f"`cellar bulk pause {bulk_id}` and `cellar bulk abort {bulk_id}` stop it.", err=True)
    return typer.Exit(_INTERRUPTED)


def _followed(bulk_id: str, progress: Progress, task: TaskID) -> BulkView:
    warn_at_s = time.monotonic() + _BEGUN_WITHIN_S
    while True:
        found = _seen(bulk_id)
        if found:
            text = f"{found.state}: {found.failed} failed, {found.started} on their way"
            progress.update(task, total=found.planned, completed=found.done + found.failed, description=text)
            if found.state in _ENDED:
                return found
            if found.queued == found.planned and time.monotonic() > warn_at_s:
                warn_at_s = float("inf")
                progress.console.print("No worker has begun it yet: does `cellar up` or `cellar worker` run?")
        time.sleep(_LOOK_S if found else _AWAY_LOOK_S)


def _seen(bulk_id: str) -> BulkView | None:
    try:
        return records.view(bulk_id)
    except Transient as error:
        typer.echo(f"cellar: {error}; trying again", err=True)
        return None
