"""`cellar backup` and `cellar restore`: makes backups, and restores from them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from adapters.settings.settings import settings
from cli.results import print_found, say
from cli.terminal import Json, cell, print_json, time_text
from domain.people.conditions import count_text
from models.errors import WrongUse
from models.store.backup import LastBackup, LastDrill, Restored
from services.backups.making import back_up, place_of_backups
from services.custody.drilling import drill as drill_once
from services.custody.restoring import acknowledged_since, restore_archives
from services.custody.restoring import restore as restore_all

_MOST_NAMED = 50


def backup(
    *,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="URL", help="Folder or s3://BUCKET/PREFIX. Default: CELLAR_BACKUP_URL."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a backup of inbox, store and secrets while the system runs, and remove backups that are too old.

    Only what is new is copied, encrypted. Exits with 1 if a file could not be read. A killed backup is made again.
    """
    place = place_of_backups(to, "--to")
    with _bars() as on_progress:
        made = back_up(place, datetime.now(UTC), on_progress)
    print_found(made, _print_made, as_json=as_json)
    secret = settings().secret_path("backup")
    if not settings().backup_password:  # each time: the first was perhaps that of a worker, or was killed
        typer.echo(
            f"The password of the backups is in {secret}. Keep a copy elsewhere: nothing can be restored without it.",
            err=True,
        )
    if made.lacks:
        raise typer.Exit(1)


def restore(
    references: Annotated[
        list[str] | None, typer.Argument(help="Archives to put back. Default: the whole installation.")
    ] = None,
    *,
    source: Annotated[
        str | None, typer.Option("--from", metavar="URL", help="Place of the backups. Default: CELLAR_BACKUP_URL.")
    ] = None,
    drill: Annotated[bool, typer.Option("--drill", help="Restore elsewhere, compare, and throw it away.")] = False,
    as_json: Json = False,
) -> None:
    """Restore the newest backup into an empty installation: files, database, and what was erased since stays erased.

    Nothing starts before it is done. A killed restore goes on. With archives, only their damaged or lost files come
    back, into the running installation. Exits with 1 if something is not as it was.
    """
    place = place_of_backups(source, "--from")
    if references and drill:
        raise WrongUse("a drill restores everything: leave out the archives")
    if references:
        _restore_archives(place, references)
        return
    with _bars() as on_progress:
        found = drill_once(place, datetime.now(UTC)) if drill else restore_all(place, datetime.now(UTC), on_progress)
    if as_json:
        print_json(found)
    elif isinstance(found, LastDrill):
        print_drill(found)
    else:
        _print_restored(found)
    if not (found.is_well if isinstance(found, LastDrill) else found.is_whole):
        raise typer.Exit(1)


@contextmanager
def _bars() -> Iterator[Callable[[str, float], None]]:
    """Show on a terminal how much of each part is done."""
    shown, tasks = Console(stderr=True), {}
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal) as progress:

        def advance(part: str, done: float) -> None:
            if part not in tasks:
                tasks[part] = progress.add_task(part, total=1)
            progress.update(tasks[part], completed=done)

        yield advance


def _print_made(made: LastBackup) -> None:
    for each in made.unread:
        typer.echo(f"cannot be read: {each}", err=True)
    state = f"it lacks {count_text(made.lacks, 'file')}" if made.lacks else "it has every file"
    if made.damaged:
        are = count_text(made.damaged, "file is", "files are")
        state += f" as the store has it, where {are} damaged or missing: see `cellar verify`"
    say(
        f"Backup of {time_text(made.at)} at {made.location}: {decimal(made.size_bytes)}, of which "
        f"{decimal(made.added_bytes)} are new: {state}"
    )


def _print_restored(found: Restored) -> None:
    for each in found.damaged:
        typer.echo(f"not rebuilt: {each}", err=True)
    waiting = count_text(found.waiting, "body waits", "bodies wait")
    say(f"Restored the backup of {time_text(found.at)}: {count_text(found.archives, 'archive')}; {waiting}.")
    if found.erased:
        say(f"{count_text(found.erased, 'archive')} erased since: not in it.")
    success, failure = acknowledged_since(found.at)
    say(
        f"What was acknowledged after {time_text(found.at)} is not in it. Cellosign keeps it until "
        f"{time_text(success)} at least, after a failure until {time_text(failure)}: find it by `cellar reconcile "
        "LIST`, and let it be sent again."
    )
    if found.is_whole:
        say("The restore is complete. Start cellar, then run `cellar status --deep`.")
    else:
        lacks = [f"the backup lacks {count_text(found.lacks, 'file')}"] * bool(found.lacks)
        lacks += [f"{count_text(len(found.damaged), 'file')} could not be rebuilt from"] * bool(found.damaged)
        lacks += [f"the check found {count_text(found.findings, 'fault')}: `cellar verify`"] * bool(found.findings)
        say(f"NOT WHOLE: {'; '.join(lacks)}. Everything that the backup has is there.")


def print_drill(found: LastDrill) -> None:
    if found.failure:
        say(f"The drill broke off: {found.failure}")
        return
    say(
        f"The backup of {time_text(found.of)} was restored in {found.took_s:,.0f} s: "
        f"{count_text(found.archives, 'archive')}, of which {found.differing:,} differ or are damaged. "
        f"{count_text(found.later, 'version')} came later: not in it."
    )
    for each in found.names[:_MOST_NAMED]:
        say(f"differs or is damaged: {cell(each)}")
    if found.names:
        say("Run `cellar verify`. What is damaged here too comes back by `cellar restore REFERENCE`.")


def _restore_archives(place: str, references: list[str]) -> None:
    found = restore_archives(place, references)
    for reference, (back, left) in found.items():
        say(f"{reference}: {count_text(back, 'file')} came back. Run `cellar verify` with this reference.")
        if left:
            what = count_text(left, "damaged or lost file")
            say(f"{reference}: no backup has {what} as it was. Let Cellosign send the archive again.")
    if any(left for _, left in found.values()):
        raise typer.Exit(1)
