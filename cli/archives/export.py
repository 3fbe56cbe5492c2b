"""`cellar export`: writes an archive for a court, an auditor or a customer, or the request as it was sent.

`cellar export-table`: writes tables for data teams.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from adapters.files.new_files import new_file
from adapters.files.private import persons_files
from adapters.tables.runs import receipts
from cli.options import shell
from cli.terminal import Json, counted
from models.errors import Refused, WrongUse
from services.evidence.bag import evidence, write_evidence
from services.evidence.downloads import hand_out_request
from services.table_process import exported

_ENDINGS = (".parquet", ".csv")
Damaged = Annotated[
    bool, typer.Option("--damaged", help="Export the archive even if its proof fails; its page and check.py say so.")
]


def export(
    reference: str,
    *,
    to: Annotated[Path, typer.Option(help="A new folder or zip; with --raw a new file, or - for standard output.")],
    raw: Annotated[bool, typer.Option("--raw", help="Write the request, byte for byte as it was sent.")] = False,
    receipt: Annotated[str | None, typer.Option(help="A receipt id. Default: the current version's.")] = None,
    damaged: Damaged = False,
    as_json: Json = False,
) -> None:
    """Export an archive as a bag that proves itself: its files, a page, the proof and a program that checks it.

    Checks the archive first, and refuses to export it if the proof fails.
    """
    if as_json and str(to) == "-":
        raise typer.BadParameter("--json: expected a file in --to, since the request takes the standard output")
    found = receipts.find(receipt) if receipt else None
    receipt_id = receipt or receipts.current_receipt_id(reference)
    # The inbox knows bodies by their receipt ids alone, so the given body may belong to another process.
    if receipt_id is None or (found and found.reference != reference):
        detail = "expected an archive and its receipt; try `cellar list`, `cellar show REFERENCE`"
        raise Refused("UNKNOWN_ARCHIVE", detail)
    if raw and str(to) == "-":
        hand_out_request(reference, receipt_id, sys.stdout.buffer, even_damaged=damaged)
    elif raw:
        with persons_files(), new_file(to) as file:
            hand_out_request(reference, receipt_id, file, even_damaged=damaged)
    else:
        _write_bag(reference, receipt_id, to, even_damaged=damaged)
    if as_json:
        typer.echo(json.dumps({"reference": reference, "receipt_id": receipt_id, "path": str(to.absolute())}))
    elif str(to) != "-":
        typer.echo(f"exported to {to}")


def _write_bag(reference: str, receipt_id: str, to: Path, *, even_damaged: bool) -> None:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        proving = progress.add_task("prove", total=None)
        made = evidence(reference, receipt_id, datetime.now(UTC), even_damaged=even_damaged)
        progress.remove_task(proving)
        writing = progress.add_task("export", total=made.size_bytes)
        with persons_files():
            write_evidence(made, to, lambda size_bytes: progress.advance(writing, size_bytes))
    if made.is_locked:
        console.print(
            "The key of the archive is missing or damaged: its card details cannot be opened, and its request cannot "
            "be rebuilt. The bag proves the stored parts, and summary.html says so. Restore the key from a backup."
        )
    if made.findings:
        console.print(f"The archive is DAMAGED, findings: {len(made.findings)}. summary.html in the bag says so.")


def _ending(to: Path) -> Path:
    if to.suffix not in _ENDINGS:
        raise WrongUse(f"--to: expected a name that ends in {', '.join(_ENDINGS)}, got {str(to)!r}")
    return to


def export_table(
    name: Annotated[str | None, typer.Argument(help="A table of docs/tables.md, such as payments or archives.")] = None,
    *,
    to: Annotated[Path, typer.Option(help="A new file: .parquet or .csv.", callback=_ending)],
    template: Annotated[
        str | None, typer.Option(help="The form table of this template; with a name, the rows of its archives.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Export a table for data teams as Parquet or CSV.

    Without a name, the table of a template's form: a row for each archive, a typed column for each field.
    """
    rows = 0
    with persons_files(), new_file(to) as file, counted() as advance:
        table, pieces = exported(name, template, shell(), to.suffix[1:])
        for read, piece in pieces:
            file.write(piece)
            advance(read - rows)
            rows = read
    if as_json:
        typer.echo(json.dumps({"path": str(to.absolute()), "table": table, "rows": rows}))
