"""`cellar migrate`: brings the metadata database to the newest schema."""

import json

import typer

from adapters.database.migration import migrate as migrate_database
from adapters.database.migration import revisions
from adapters.files.private import shut_folders
from adapters.settings.settings import settings
from cli.terminal import Json
from services import derived


def migrate(*, as_json: Json = False) -> None:
    """Upgrade the metadata database to the newest schema, and let workers index what archives lack."""
    shut_folders(settings())
    migrate_database()
    derived.begin()
    if as_json:
        typer.echo(json.dumps({"revision": revisions().database}))
