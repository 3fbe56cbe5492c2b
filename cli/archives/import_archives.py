"""`cellar import`: lets the worker import saved archives, and shows how far it is."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from adapters.peers.prefect_api import FlowRun, create_import, read_run, run_url
from cli.options import person
from cli.terminal import Folds, Json, cell, console, print_fitted
from models.errors import Refused, Transient
from models.runs.imports import ImportProgress
from services import sources
from services.imports import kept_progress, key_of_start

_LOOK_S = 1.0
_SAID_EACH_S = 10
_PATIENCE_S = 300
_INTERRUPTED = 130
_HEADS = ("path", "outcome", "code", Folds("where"), Folds("detail"))


def import_archives(
    paths: Annotated[
        list[str],
        typer.Argument(help="Payload files, folders, tar and zip files that the worker can read, or s3:// prefixes."),
    ],
    *,
    source: Annotated[str | None, typer.Option(help="Name of the source that sent them.")] = None,
    as_json: Json = False,
) -> None:
    """Import archives that an older receiver saved. Skips payloads that are archived already. Notifies nobody.

    The worker imports them in a run of `import-archives`, which continues after Ctrl-C.
    Exits with 1 if a payload was refused or has failed.
    """
    try:
        if source:
            sources.check_known(source)
    except Refused as refused:
        raise typer.BadParameter(refused.detail, param_hint="--source") from refused
    absolute = [each if "://" in each else str(Path(each).absolute()) for each in paths]  # the worker is elsewhere
    run = asyncio.run(create_import(absolute, source, key_of_start(person(), absolute, source)))
    try:
        with _shown(run) as show:
            ended = asyncio.run(_until_ended(run, show))
    except KeyboardInterrupt:
        typer.echo(f"The import goes on in the worker. To stop it, cancel {run_url(run.flow_run_id)}", err=True)
        raise typer.Exit(_INTERRUPTED) from None
    progress = kept_progress(run.flow_run_id)
    _print(ended, progress, as_json=as_json)
    if ended.state != "Completed":
        raise typer.Exit(1)


async def _until_ended(run: FlowRun, show: Callable[[ImportProgress], None]) -> FlowRun:
    """Show the progress until the run has ended. Prefect or the store may be away for a few minutes.

    Raises Transient if Prefect or the store was away for longer.
    """
    away_s, said = 0.0, ""
    while not run.ended:
        await asyncio.sleep(_LOOK_S)
        try:
            run = await read_run(run.flow_run_id)
            if run.waits_until and run.message != said:
                said = run.message
                typer.echo(said, err=True)
            show(await asyncio.to_thread(kept_progress, run.flow_run_id))
            away_s = 0
        except Transient:
            away_s += _LOOK_S
            if away_s >= _PATIENCE_S:
                raise
    return run


@contextmanager
def _shown(run: FlowRun) -> Iterator[Callable[[ImportProgress], None]]:
    """Yield a function that shows the progress: as a bar on a terminal, else as a line every ten seconds."""
    terminal = Console(stderr=True, markup=False, emoji=False)
    terminal.print(f"Run {run.flow_run_id}: {run_url(run.flow_run_id)}", soft_wrap=True)
    if not terminal.is_terminal:
        yield _lines(terminal)
        return
    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=terminal, transient=True) as bar:
        task = bar.add_task("waits for a worker", total=None)
        yield lambda now: bar.update(
            task, completed=now.done_bytes, total=now.total_bytes or None, description=str(now)
        )


def _lines(terminal: Console) -> Callable[[ImportProgress], None]:
    looks = 0

    def _say(now: ImportProgress) -> None:
        nonlocal looks
        looks += 1
        if looks % _SAID_EACH_S == 0:
            terminal.print(f"{now.share:.0%}: {now}", soft_wrap=True)

    return _say


def _print(run: FlowRun, progress: ImportProgress, *, as_json: bool) -> None:
    if as_json:
        counts = progress.model_dump(mode="json", include={"imported", "known", "refused", "failed", "problems"})
        place = {"flow_run_id": run.flow_run_id, "state": run.state, "url": run_url(run.flow_run_id)}
        typer.echo(json.dumps(place | counts, indent=2))
        return
    if progress.problems:
        rows = [(each.path, each.outcome, each.code, each.where, each.detail) for each in progress.problems]
        print_fitted(console(), _HEADS, rows)
    if progress.refused + progress.failed > len(progress.problems):
        console().print("These are the first. `cellar quarantine list` shows every refused payload.")
    console().print(f"{progress}.", highlight=False)
    if progress.failed:
        console().print("A failed archive waits in the inbox. A run of its own tries it again soon.")
    if run.state != "Completed" and progress.is_clean:
        typer.echo(f"cellar import: the run is {run.state}: {cell(run.message)}", err=True)
