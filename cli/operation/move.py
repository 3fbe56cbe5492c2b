"""`cellar move`: moves an installation to the places that the settings name."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from adapters.files import bucket
from cli.results import print_found, say
from cli.terminal import Json, can_ask, print_json
from models.errors import WrongUse
from models.store.moving import Amount, Moved, MovePlan, Phase
from services.moving.moving import move_all, move_from, plan

_BAR = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())


def move(
    *,
    source: Annotated[Path, typer.Option("--from", help="Data folder of the old installation, or its settings file.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask. Required without a terminal.")] = False,
    as_json: Json = False,
) -> None:
    """Move an installation to the empty store, inbox and database that the settings name.

    While the old installation runs, its files are copied, and it goes on acknowledging. Once it is stopped, the same
    command completes the move. A killed move goes on where it was. Exits with 1 while the move is not complete.
    """
    with bucket.patient(), move_from(source) as moving:
        planned = plan(moving)
        if not as_json:
            _print_plan(planned)
        elif dry_run:
            print_json(planned)
        if dry_run:
            return
        if not (yes or can_ask()):
            raise WrongUse("no terminal can answer: add --yes to move, or --dry-run to see the plan")
        if not (yes or typer.confirm("Move?", err=True)):
            typer.echo("Nothing was changed.", err=True)
            raise typer.Exit(1)
        with _bars(planned) as (on_bytes, on_rows):
            moved = move_all(moving, planned, on_bytes, on_rows)
    print_found(moved, _print_end, as_json=as_json)
    if not moved.is_complete:
        raise typer.Exit(1)


@contextmanager
def _bars(planned: MovePlan) -> Iterator[tuple[Callable[[int], None], Callable[[int], None]]]:
    """Show the progress on a terminal. Each file is looked at twice, before and after the old installation stops."""
    shown = Console(stderr=True)
    columns = (*_BAR[:3], DownloadColumn(), _BAR[3])
    with Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal) as progress:
        passes = 1 if planned.running or planned.phase is Phase.CLOSED else 2
        size_bytes = passes * (planned.store.size_bytes + planned.inbox.size_bytes)
        files = progress.add_task("files", total=size_bytes)
        rows = progress.add_task("rows", total=2 * sum(planned.rows.values()))
        yield (lambda done: progress.advance(files, done), lambda done: progress.advance(rows, done))


def _print_plan(planned: MovePlan) -> None:
    if planned.phase is Phase.COMPLETE:
        say("The move is complete; the old inbox is searched for what came later.")
        return
    for name, what in (
        ("store", _amount_text(planned.store)),
        ("inbox", _amount_text(planned.inbox)),
        ("database", f"{sum(planned.rows.values()):,} rows in {len(planned.rows)} tables"),
    ):
        before, after = getattr(planned.source, name), getattr(planned.target, name)
        where = "stays" if before == after else f"{what}, to {after}"
        say(f"{name:<9} {before}: {where}")
    if planned.phase:
        say("An earlier, unfinished move goes on.")
    _print_running(planned)


def _print_running(planned: MovePlan) -> None:
    for each in planned.running:
        say(f"still runs: {each}")
    if planned.running:
        say("Its files can be copied meanwhile. To complete the move, stop it and run this again.")


def _print_end(moved: Moved) -> None:
    for each in moved.unread:
        say(f"cannot be read: {each}")
    if moved.plan.phase is Phase.COMPLETE:
        say(f"{moved.late:,} files came later and are in the new inbox now.")
    elif moved.is_complete:
        files = f"{_amount_text(moved.store)} of the store, {_amount_text(moved.inbox)} of the inbox"
        say(f"Moved and compared: {files}, {sum(moved.rows.values()):,} rows.")
        say("The old data stays. Each machine of the new installation needs:")
        for line in moved.plan.settings:
            say(f"  {line}")
        say("Start it, then run `cellar doctor` and `cellar verify`.")
    else:
        _print_unfinished(moved)


def _print_unfinished(moved: Moved) -> None:
    say("The move is not complete.")
    if moved.plan.running:
        _print_running(moved.plan)
    elif moved.late:
        found = f"{moved.late:,} files came into the old inbox at the end: a receiver still acknowledges there."
        say(f"{found} Stop it and run this again.")
    elif moved.unread:
        say("Repair these files or remove them (`cellar verify` names what they belong to), and run this again.")


def _amount_text(amount: Amount) -> str:
    return f"{amount.files:,} files ({decimal(amount.size_bytes)})"
