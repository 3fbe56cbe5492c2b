"""`cellar rotate-keys`: wraps the store's keys under another master key."""

import json

import typer
from rich.console import Console
from rich.progress import track

from adapters.store import seals
from cli.custody.place import require_store
from cli.terminal import Json
from models.errors import Locked


def rotate_keys(*, as_json: Json = False) -> None:
    """Encrypt every key in the store again, with the first of CELLAR_SEAL_KEYS.

    First restart all processes with the new key in front of the old keys.
    When this exits with 0, the old keys may be removed. No archive changes.
    """
    require_store()
    locations, rewrapped, locked = seals.wrapped_keys(), 0, []
    for location in track(locations, "rotate keys", console=Console(stderr=True), transient=True):
        try:
            rewrapped += seals.rewrap(location)
        except Locked as error:
            locked.append(str(error))
    for reason in locked:
        typer.echo(f"not rotated: {reason}", err=True)
    if as_json:
        typer.echo(json.dumps({"keys": len(locations), "rewrapped": rewrapped, "not_rotated": locked}))
    else:
        typer.echo(f"{len(locations)} keys, {rewrapped} of them wrapped anew")
    if locked:
        raise typer.Exit(1)
