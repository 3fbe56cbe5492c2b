"""`cellar migrate`: brings the metadata database to the newest schema."""

import json

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn

from adapters.database.migration import migrate as migrate_database
from adapters.database.migration import revisions
from adapters.files.private import shut_folders
from adapters.settings.settings import settings
from cli.terminal import Json
from services.search.filling import fill


def migrate(*, as_json: Json = False) -> None:
    """Upgrade the metadata database to the newest schema, and index every archive for search."""
    shut_folders(settings())
    migrate_database()
    filled = _fill()
    if as_json:
        typer.echo(json.dumps({"revision": revisions().database, "filled": filled}))


def _fill() -> int:
    """Fill in the entries of the search, with a count on a terminal, and return the number of archives."""
    shown = Console(stderr=True)
    columns = (TextColumn("archives to search in"), MofNCompleteColumn())
    with Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal) as progress:
        task = progress.add_task("", total=None)
        return fill(lambda count: progress.advance(task, count))
