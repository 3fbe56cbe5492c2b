"""`cellar anchor`, `cellar rebuild` and `cellar rotate-keys`: commands about the whole store."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from adapters.anchors import anchors
from adapters.files import bucket
from adapters.files.store import store
from adapters.settings.settings import settings
from adapters.store import seals, session_events, settlement_reports, sources, templates, tokens, users
from cli.custody.verify import print_held
from cli.terminal import Json, counted, time_text
from models.errors import Locked, WrongUse
from services.anchors.making import Made, make
from services.custody.comparing import compare
from services.custody.objects import stored_objects
from services.custody.rebuilding import Rebuilt, check_empty, rebuild
from services.custody.verifying import absent_store
from services.health.probes import found_root

_BEFORE_ARCHIVES = (
    *(session_events.FOLDER, settlement_reports.FOLDER, templates.RECORDS.folder),
    *(each.RECORDS.folder for each in (sources, tokens, users)),
)


def require_store() -> None:
    """Check that the store has archives, or what may be kept there before the first archive.

    Raises:
        WrongUse: nothing was ever archived there.
        Transient: the store does not answer or is no folder; or it has no archive while the database has some.
    """
    if absent_store() is None:
        return
    if not any(next(store().listed(folder), None) for folder in _BEFORE_ARCHIVES):
        setting = "CELLAR_STORE_URL" if settings().store_url else "CELLAR_DATA_DIR"
        where = f"the working directory is {Path.cwd()}: run the command where `cellar up` runs"
        text = f"the store {settings().store_location} does not exist, or nothing was ever archived there"
        raise WrongUse(f"{text}; check {setting}; {where}")
    found_root()


def anchor(
    *,
    whole: Annotated[
        bool, typer.Option("--all", help="Anchor the whole store, not only what changed since the last anchor.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Sign and date a statement of what the store holds, and copy it to the witness. Keep the root elsewhere.

    Before that, compares the store with the newest anchor of the witness. Exits with 1 if the store is not as anchored,
    or the anchor lacks a damaged object, a time stamp or the witness.
    """
    require_store()
    with bucket.patient():
        compared = compare(datetime.now(UTC))
        for each in compared.findings:
            typer.echo(f"not as anchored: {each.key}: expected {each.expected}, found {each.found}", err=True)
        if compared.at and not as_json:
            print_held(compared)
        made = make(datetime.now(UTC), whole=whole)
    _print_anchor(made, as_json=as_json)
    if compared.failure:
        typer.echo(f"the store was not compared with its anchors: {compared.failure}", err=True)
    if not made.is_whole or compared.findings or compared.failure:
        raise typer.Exit(1)


def _print_anchor(made: Made, *, as_json: bool) -> None:
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


def rebuild_database(*, as_json: Json = False) -> None:
    """Rebuild the metadata database from the store. The database must be empty, as after `cellar migrate`."""
    require_store()
    check_empty()
    with counted() as advance:
        rebuilt = rebuild(stored_objects(), lambda _: advance(1))
    for key, reason in rebuilt.damaged:
        typer.echo(f"not rebuilt: {key}: {reason}", err=True)
    if as_json:
        damaged = [{"key": key, "reason": reason} for key, reason in rebuilt.damaged]
        typer.echo(json.dumps(asdict(rebuilt) | {"damaged": damaged}))
    else:
        _print_rebuilt(rebuilt)
    if rebuilt.damaged:
        raise typer.Exit(1)


def _print_rebuilt(rebuilt: Rebuilt) -> None:
    typer.echo(f"{rebuilt.archives} archives are in the database again; the sweep archives the deliveries in the inbox")
    others = {"settlement reports": rebuilt.reports, "session events": rebuilt.events}
    others |= {"refused deliveries": rebuilt.refused, "endpoints": rebuilt.endpoints}
    others["names of templates"] = rebuilt.templates
    for what, count in others.items():
        if count:
            typer.echo(f"{count} {what} are in the database again")


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
