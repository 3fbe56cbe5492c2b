"""The part of `cellar verify --signatures` that judges signed documents again."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.terminal import cell
from models.archive.verdict import Judged
from models.store.fixity import StoredObject
from services.custody.judging_again import judge_objects
from services.custody.verifying import drawn, stored_objects

_MOST_SHOWN = 50


def judge_again(objects: Sequence[StoredObject] | None, share: float) -> Judged:
    """Judge the signed documents of objects again; without `objects`, of a random share of the store.

    Raises as `judge_objects` does.
    """
    seed = time.time_ns()

    def chosen() -> Iterator[StoredObject]:
        return drawn(stored_objects(), share, seed) if objects is None else iter(objects)

    with _bar(chosen) as advance:
        return judge_objects(chosen(), lambda _, __: advance())


@contextmanager
def _bar(objects: Callable[[], Iterator[StoredObject]]) -> Iterator[Callable[[], None]]:
    """Show the progress on a terminal. For this, the objects are listed once before they are judged."""
    console = Console(stderr=True)
    columns = (TextColumn("signatures"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        total = sum(1 for each in objects() if each.key) if console.is_terminal else 0
        task = progress.add_task("signatures", total=total)
        yield lambda: progress.advance(task)


def print_judged(console: Console, judged: Judged) -> None:
    for wrong in judged.contradictions:
        console.print(
            f"contradicted: {wrong.key}: {wrong.about}: the kept verdict says {wrong.kept}, found {wrong.found}; a "
            "person must look at the document, since neither time nor trust roots explain it"
        )
    for key, reason in judged.unjudged:
        console.print(f"not judged: {key}: {reason}")
    for key, reason in judged.unkept:
        console.print(f"not kept: {key}: {reason}")
    for change in judged.changes[:_MOST_SHOWN]:
        said = f"{change.before} → {change.now}{' (worse)' if change.is_worse else ''}"
        console.print(f"judged differently: {cell(change.reference)}, version {change.version}: {said}")
    if judged.changes_in_all > _MOST_SHOWN:
        more = judged.changes_in_all - _MOST_SHOWN
        console.print(f"and {more:,} more judged differently; `cellar show REFERENCE` shows each")
    result = "no contradiction" if judged.is_sound else "NOT SOUND"
    console.print(f"{judged.documents} signed documents judged again, {judged.kept} new judgements kept: {result}")
