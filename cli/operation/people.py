"""`cellar people test`: sends a test to each address of people."""

from datetime import UTC, datetime

import typer

from cli.results import say
from cli.terminal import Folds, Json, console, print_fitted, print_json
from services.people.letters import try_people

app = typer.Typer(help="Test whether alerts reach people.", no_args_is_help=True)


@app.command("test")
def send_test(*, as_json: Json = False) -> None:
    """Send a test to each address of CELLAR_PEOPLE_URLS. Exits with 1 if an address fails, or if none is set."""
    found = try_people(datetime.now(UTC))
    if as_json:
        print_json(found)
    elif found.addresses:
        rows = [(each.address, "taken" if each.is_taken else each.why) for each in found.addresses]
        print_fitted(console(), ("address", Folds("test")), rows)
    else:
        say("No address is set: see CELLAR_PEOPLE_URLS.")
    if not found.is_well:
        raise typer.Exit(1)
