"""`cellar anchor`: signs what the store holds now, so that nobody can rewrite it unnoticed."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from adapters.anchors import anchors
from adapters.files import bucket
from adapters.files.store import store
from cli.custody.place import require_store
from cli.terminal import Json, time_text
from services.anchors.making import Made, make


def anchor(
    *,
    whole: Annotated[
        bool, typer.Option("--all", help="Anchor the whole store, not only what changed since the last anchor.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Sign and date a statement of what the store holds, and copy it to the witness. Keep the root elsewhere.

    Exits with 1 if the anchor lacks a damaged object, a time stamp or the witness.
    """
    require_store()
    with bucket.patient():
        made = make(datetime.now(UTC), whole=whole)
    _print(made, as_json=as_json)
    if not made.is_whole:
        raise typer.Exit(1)


def _print(made: Made, *, as_json: bool) -> None:
    statement = made.anchor.statement
    if as_json:
        found = {
            "number": statement.number,
            "root": made.anchor.root,
            "at": statement.at.isoformat(),
            "leaves": statement.leaves,
            "public_key_sha256": made.fingerprint,
            "statement": store().location(anchors.statement_key(statement.number)),
            "damaged": made.damaged,
            "lacks": made.lacks,
        }
        typer.echo(json.dumps(found, indent=2))
        return
    typer.echo(f"anchor {statement.number} of {time_text(statement.at, 'seconds')}, {statement.leaves:,} leaves")
    typer.echo(f"root        {made.anchor.root}")
    typer.echo(f"public key  {made.fingerprint} (SHA-256)")
    for key in made.damaged:
        typer.echo(f"not in this anchor, because it is damaged: {key}; see `cellar verify`", err=True)
    for each in made.lacks:
        typer.echo(f"{each}; the next anchor tries again", err=True)
