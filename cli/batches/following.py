"""Follows a batch, or single re-runs, to the end, with a progress bar on a terminal."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from adapters.peers import prefect_api
from models.errors import Transient
from models.runs.batch import BatchState
from models.views.archives.archives import RerunStarted
from models.views.batch import BatchView
from services.batches import batches
from services.triggering.reruns import begun

_LOOK_S = 0.5
_AWAY_LOOK_S = 2
_BEGUN_WITHIN_S = 15
INTERRUPTED = 130
_ENDED = (BatchState.DONE, BatchState.ABORTED)
_UNBEGUN = {"Scheduled", "Late", "Pending"}


@dataclass(frozen=True, slots=True)
class _Stand:
    """How far runs are: how many of them have ended, and a text about the others."""

    total: int
    ended: int
    text: str
    is_over: bool
    is_begun: bool


def follow(batch_id: str) -> BatchView | None:
    """Wait for the end of a batch. None if a person detached with Ctrl-C: the batch goes on.

    Raises:
        Refused: there is no such batch.
    """
    return batches.view(batch_id) if _is_followed(partial(_of_batch, batch_id)) else None


def follow_runs(asked: list[RerunStarted], since: datetime) -> bool:
    """Wait for the ends of re-runs that were asked for at `since`, and keep their present states in `asked`.

    Returns:
        False if a person detached with Ctrl-C: the runs go on.
    """
    return _is_followed(partial(_of_runs, asked, since))


def detached(batch_id: str) -> typer.Exit:
    """Say how to follow or stop a batch that goes on, and return the exit of an interrupted command."""
    typer.echo(f"It goes on. `cellar bulk show {batch_id} --follow` follows it.", err=True)
    typer.echo(f"`cellar bulk pause {batch_id}` and `cellar bulk abort {batch_id}` stop it.", err=True)
    return typer.Exit(INTERRUPTED)


def _of_batch(batch_id: str) -> _Stand:
    found = batches.view(batch_id)
    text = f"{found.state}: {found.failed} failed, {found.started} on their way"
    is_begun = found.queued != found.planned
    return _Stand(found.planned, found.done + found.failed, text, found.state in _ENDED, is_begun)


def _of_runs(asked: list[RerunStarted], since: datetime) -> _Stand:
    """Look at re-runs. A run that a person has deleted is over."""
    asked[:] = asyncio.run(begun(asked, since))
    known = asyncio.run(prefect_api.known([each.flow_run_id for each in asked if each.flow_run_id]))
    ended = 0
    for each in asked:
        if each.flow_run_id:
            run = known.get(each.flow_run_id)
            each.state = run.state if run else "Deleted"
            ended += run is None or run.ended
    counted = Counter(each.state for each in asked)
    text = ", ".join(f"{number} {state}" for state, number in counted.items())
    return _Stand(len(asked), ended, text, ended == len(asked), not set(counted) <= _UNBEGUN)


def _is_followed(look: Callable[[], _Stand]) -> bool:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            _wait(look, progress, progress.add_task("re-run", total=None))
    except KeyboardInterrupt:
        return False
    return True


def _wait(look: Callable[[], _Stand], progress: Progress, task: TaskID) -> None:
    """Wait for the end. Say once that no worker works, and at each outage what is away."""
    warn_at_s, said = time.monotonic() + _BEGUN_WITHIN_S, ""
    while True:
        try:
            stand = look()
        except Transient as error:
            if str(error) != said:
                said = str(error)
                typer.echo(f"cellar: {error}; trying again", err=True)
            time.sleep(_AWAY_LOOK_S)
            continue
        said = ""
        progress.update(task, total=stand.total, completed=stand.ended, description=stand.text)
        if stand.is_over:
            return
        if not stand.is_begun and time.monotonic() > warn_at_s:
            warn_at_s = float("inf")
            progress.console.print("No worker has begun it yet: does `cellar up` or `cellar worker` run?")
        time.sleep(_LOOK_S)
