"""`cellar import`: takes saved archives into the inbox, and shows how far it is."""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from adapters.files import bucket
from adapters.files.saved import saved_files
from cli.terminal import Folds, Json, console, print_fitted
from models.errors import Refused
from models.runs.receipt import DEFAULT_SOURCE
from services import sources
from services.imports import Outcome, Read, take_in

_MOST_PROBLEMS = 1000
_HEADS = ("path", "code", Folds("where"), Folds("detail"))


def import_archives(
    paths: Annotated[list[str], typer.Argument(help="Payload files, folders, tar and zip files, or s3:// prefixes.")],
    *,
    source: Annotated[str | None, typer.Option(help="Name of the source that sent them.")] = None,
    as_json: Json = False,
) -> None:
    """Import archives that an older receiver saved. Skips payloads that were received already. Notifies nobody.

    Takes them into the inbox, where the next run of `import-archives` begins to archive them within a minute.
    Exits with 1 if a payload was refused. After Ctrl-C, the same command goes on.
    """
    try:
        if source:
            sources.check_known(source)
    except Refused as refused:
        raise typer.BadParameter(refused.detail, param_hint="--source") from refused
    with bucket.patient():
        counts, problems = _taken_in([each if "://" in each else str(Path(each).absolute()) for each in paths], source)
    _print(counts, problems, as_json=as_json)
    if counts[Outcome.REFUSED]:
        raise typer.Exit(1)


def _taken_in(paths: list[str], source: str | None) -> tuple[Counter[Outcome], list[Read]]:
    """Take payloads in, show the progress on a terminal, and return the counts and the first problems."""
    counts, problems = Counter[Outcome](), list[Read]()
    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    terminal = Console(stderr=True, markup=False, emoji=False)
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        task = bar.add_task("", total=sum(each.size_bytes for each in saved_files(paths)) or None)
        for read in take_in(paths, source or DEFAULT_SOURCE):
            counts[read.outcome] += 1
            if read.fault and len(problems) < _MOST_PROBLEMS:
                problems.append(read)
            bar.update(task, completed=read.done_bytes, description=_text(counts))
    return counts, problems


def _text(counts: Counter[Outcome]) -> str:
    return ", ".join(f"{counts[each]:,} {each}" for each in Outcome)


def _print(counts: Counter[Outcome], problems: list[Read], *, as_json: bool) -> None:
    rows = [(read.path, read.fault.code, read.fault.where, read.fault.detail) for read in problems if read.fault]
    if as_json:
        listed = [dict(zip(("path", "code", "where", "detail"), row, strict=True)) for row in rows]
        typer.echo(json.dumps({each.name.lower(): counts[each] for each in Outcome} | {"problems": listed}, indent=2))
        return
    if rows:
        print_fitted(console(), _HEADS, rows)
    if counts[Outcome.REFUSED] > len(rows):
        console().print("These are the first. `cellar quarantine list` shows every refused payload.")
    console().print(f"{_text(counts)}.", highlight=False)
    if counts[Outcome.TAKEN_IN]:
        console().print("The worker archives them from the next minute on.")
