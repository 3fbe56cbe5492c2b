"""`cellar rotate-keys`: the keys of what is sealed, under another master key."""

import typer
from rich.console import Console
from rich.progress import track

from adapters.store import seals
from models.errors import Locked


def rotate_keys() -> None:
    """Wrap every key of the store under the first of CELLAR_SEAL_KEYS. The others may go then, if it exits with 0.

    No archive changes. Before it, restart everything with the new key in front of the old one.
    """
    locations, rewrapped, locked = seals.wrapped_keys(), 0, []
    for location in track(locations, "rotate keys", console=Console(stderr=True), transient=True):
        try:
            rewrapped += seals.rewrap(location)
        except Locked as error:
            locked.append(str(error))
    for reason in locked:
        typer.echo(f"not rotated: {reason}", err=True)
    typer.echo(f"{len(locations)} keys, {rewrapped} of them wrapped anew")
    if locked:
        raise typer.Exit(1)
