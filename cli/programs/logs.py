"""`cellar logs`: prints the logs of all programs under `cellar up`, merged by time."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Annotated

import orjson
import typer

from adapters.observation.log import reference_digest
from adapters.observation.log_files import LogLine, followed, human_text, lines_of, logs_in
from adapters.settings.settings import settings
from adapters.tables.runs import runs
from cli.terminal import Json, time_option
from models.errors import CellarError, WrongUse

_IDS = ("receipt_id", "flow_run_id")


class Level(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def logs(
    reference: Annotated[str | None, typer.Argument(help="Print only lines about this process.")] = None,
    *,
    follow: Annotated[bool, typer.Option(help="Keep printing new lines until Ctrl-C.")] = False,
    since: Annotated[datetime | None, time_option("Lines since a time")] = None,
    level: Annotated[Level, typer.Option(help="Print only lines of this level and above.")] = Level.INFO,
    as_json: Json = False,
) -> None:
    """Print the logs of all programs of `cellar up`, oldest line first. To a file or pipe, prints lines of JSON."""
    folder = settings().data_dir.absolute() / "logs"
    if not (folder.is_dir() and logs_in(folder)):
        raise WrongUse(
            f"there are no logs in {folder}. `cellar up` writes them there; run this command in the folder in which it"
            " was started, or set CELLAR_DATA_DIR. Programs that were started singly write to standard error."
        )
    earliest = since or datetime.min.replace(tzinfo=UTC)
    about = _About(reference) if reference is not None else None
    shown = partial(human_text, colors=True) if sys.stdout.isatty() and not as_json else _as_json
    written = 0
    with suppress(KeyboardInterrupt):
        for line in _chosen(followed(folder) if follow else lines_of(folder), earliest, level, about):
            sys.stdout.write(shown(line) + "\n")
            written += 1
            if follow:
                sys.stdout.flush()
    if not (written or follow):
        typer.echo(f"cellar logs: no line in {folder} matches; `cellar list` shows the archives", err=True)
        raise typer.Exit(1)


def _chosen(lines: Iterable[LogLine], earliest: datetime, level: Level, about: "_About | None") -> Iterator[LogLine]:
    lowest = LogLine.level_of(level)
    for line in lines:
        # `about` sees each line: an earlier line may name the run of a later line.
        if (about is None or about.concerns(line)) and line.at >= earliest and line.level >= lowest:
            yield line


class _About:
    """The ids that lines about a process carry. A line that has one of them may add others, like a new run's."""

    def __init__(self, reference: str) -> None:
        self._ids = {reference_digest(reference)}
        try:
            self._ids |= runs.ids_of(reference)
        except CellarError as error:
            typer.echo(f"cellar logs: {error}. Lines that name only a run of the process may be missing.", err=True)

    def concerns(self, line: LogLine) -> bool:
        if not any(each.encode() in line.raw for each in self._ids):
            return False
        self._ids |= {line.fields[name] for name in _IDS if isinstance(line.fields.get(name), str)}
        return True


def _as_json(line: LogLine) -> str:
    known = line.fields or {
        "timestamp": line.at.isoformat(),
        "level": "info",
        "event": line.raw.decode(errors="replace"),
    }
    head = {name: known[name] for name in ("timestamp", "level") if name in known}
    return orjson.dumps(head | {"program": line.program} | known).decode()
