"""`cellar export-table`: writes tables for data teams as Parquet files."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn

from adapters.files.new_files import new_file
from adapters.files.private import persons_files
from cli.terminal import Json
from models.errors import WrongUse

app = typer.Typer(help="Export a table for data teams as a Parquet file.", no_args_is_help=True)


def _parquet(to: Path) -> Path:
    if to.suffix.lower() != ".parquet":
        raise WrongUse(
            f"--to: expected a name that ends in .parquet, got {str(to)!r}; cellar writes Parquet alone, which pandas, "
            "DuckDB and Power Query read"
        )
    return to


@app.command()
def payments(
    *,
    to: Annotated[Path, typer.Option(help="A new file whose name ends in .parquet.", callback=_parquet)],
    template: Annotated[str | None, typer.Option(help="Only payments of archives of this template.")] = None,
    as_json: Json = False,
) -> None:
    """Export the ledger of payments. Amounts are integers of minor units."""
    from adapters.database.ledger import write_payments  # noqa: PLC0415 -- pyarrow is slow to import, for every command

    written = 0

    def _count(rows: int) -> None:
        nonlocal written
        written += rows
        counted.advance(task, rows)

    counted = Progress(SpinnerColumn(), MofNCompleteColumn(), console=Console(stderr=True), transient=True)
    with persons_files(), new_file(to) as file, counted:
        task = counted.add_task("export-table", total=None)
        write_payments(file, template, _count)
    if as_json:
        typer.echo(json.dumps({"path": str(to.absolute()), "rows": written}))
