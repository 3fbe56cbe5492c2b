"""`cellar people test`: sends a test to each address of people."""

from datetime import UTC, datetime

import typer
from rich.table import Column, Table
from rich.text import Text

from cli.terminal import Json, cell, console, print_json
from models.people import PeopleTest
from services.people.letters import try_people

app = typer.Typer(help="Test whether alerts reach people.", no_args_is_help=True)


@app.callback()
def people() -> None:
    """Test whether alerts reach people by mail or chat."""


@app.command("test")
def send_test(*, as_json: Json = False) -> None:
    """Send a test to each address of CELLAR_PEOPLE_URLS. Exits with 1 if an address fails, or if none is set."""
    found = try_people(datetime.now(UTC))
    if as_json:
        print_json(found)
    else:
        console().print(_table(found) if found.addresses else Text("No address is set: see CELLAR_PEOPLE_URLS."))
    if not found.is_well:
        raise typer.Exit(1)


def _table(found: PeopleTest) -> Table:
    table = Table(Column("address", no_wrap=True), Column("test", overflow="fold"), box=None, pad_edge=False)
    for each in found.addresses:
        table.add_row(cell(each.address), Text("taken") if each.is_taken else Text(cell(each.why), style="bold red"))
    return table
