"""`cellar quarantine`: shows refused payloads and the reasons, and releases them after a fix."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from adapters.inbox import inbox
from adapters.inbox.inbox import Intake, Quarantined
from cli.terminal import console, table_of
from domain.archive.reading import identity_of
from domain.body.scan import Scanner
from models.errors import Refused
from models.runs.receipt import Delivery

app = typer.Typer(help="List, show and release payloads that were refused.", no_args_is_help=True)
_CHUNK_BYTES = 1 << 20
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@app.command("list")
def list_quarantined(*, as_json: Json = False) -> None:
    """List the payloads in quarantine, newest first."""
    entries = inbox.quarantined()
    if as_json:
        typer.echo(json.dumps([asdict(entry) for entry in entries], default=datetime.isoformat))
        return
    rows = [
        (each.receipt_id, f"{each.received_at:%Y-%m-%d %H:%M:%S}", each.size_bytes, each.code, each.where, each.detail)
        for each in entries
    ]
    console().print(table_of(("receipt", "received", "bytes", "code", "where", "detail"), rows))


@app.command()
def show(receipt_id: str, *, as_json: Json = False) -> None:
    """Show why a payload was refused, and where its raw bytes lie."""
    entry = _entry(receipt_id)
    record = asdict(entry) | {"body": inbox.quarantined_location(entry.receipt_id)}
    if as_json:
        typer.echo(json.dumps(record, default=datetime.isoformat))
        return
    for name, value in record.items():
        typer.echo(f"{name:12} {value}")


@app.command()
def release(receipt_id: str) -> None:
    """Check a payload again, after a fix of cellar, and archive it if it is accepted now."""
    entry = _entry(receipt_id)
    delivery = _take_in(entry.receipt_id)
    inbox.remove_quarantined(entry.receipt_id)
    typer.echo(f"{delivery.receipt_id} waits in the inbox; the running receiver archives it within its sweep interval")


def _entry(receipt_id: str) -> Quarantined:
    """Return the payload whose receipt id is `receipt_id`, or begins with it."""
    found = [each for each in inbox.quarantined() if each.receipt_id.startswith(receipt_id)]
    if len(found) != 1:
        raise Refused(
            "UNKNOWN_RECEIPT", f"expected one receipt of `cellar quarantine list` with this id, got {len(found)}"
        )
    return found[0]


def _take_in(receipt_id: str) -> Delivery:
    intake, scanner = Intake(), Scanner()
    try:
        with inbox.opened_quarantined(receipt_id) as body:
            while chunk := body.read(_CHUNK_BYTES):
                scanner.feed(chunk)
                intake.digest(chunk)
                intake.write([chunk])
        identity = identity_of(scanner.close().document)
        return intake.accept(identity, datetime.now(UTC), {"x-cellar-source": "quarantine"})
    finally:
        intake.discard()
