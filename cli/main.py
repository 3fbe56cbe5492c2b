"""The `cellar` command with all its subcommands."""

import json
import sys
from importlib.metadata import version
from typing import Annotated

import typer
from pydantic import ValidationError
from typer.main import get_command

from adapters.files.private import private_files, shut_folders
from adapters.observation.log import set_up_log
from adapters.settings.setting_errors import in_words
from adapters.settings.settings import settings
from cli.archives import archives, export_table, quarantine
from cli.archives.export import export
from cli.archives.import_archives import import_archives
from cli.archives.reconcile import reconcile
from cli.bulk import bulk
from cli.bulk.rerun import rerun
from cli.custody.anchor import anchor
from cli.custody.keys import rotate_keys
from cli.custody.rebuild import rebuild_database
from cli.custody.verify import verify
from cli.messages import endpoints
from cli.messages.messages import list_messages
from cli.messages.redeliver import list_redeliveries, redeliver
from cli.operation import missing, people
from cli.operation.doctor import doctor
from cli.operation.failures import failures
from cli.operation.status import status
from cli.payments.discrepancies import list_discrepancies
from cli.payments.explain import explain
from cli.payments.settle import settle
from cli.programs.api import api
from cli.programs.logs import logs
from cli.programs.up import up
from cli.programs.worker import worker
from cli.simulation.simulate import simulate
from cli.sources import sources
from cli.terminal import Json, in_full
from models.errors import CellarError, Unusable, WrongUse

_WRONG_USE = 2

app = typer.Typer(
    help="Receives Cellosign archives: stores them, loads their data, reconciles payments, notifies endpoints.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(up)
app.command()(api)
app.command()(worker)
app.command()(logs)
app.command()(simulate)
app.command("list")(archives.list_archives)
app.command()(archives.show)
app.command()(rerun)
app.command()(failures)
app.command()(status)
app.command()(doctor)
app.command("discrepancies")(list_discrepancies)
app.command()(explain)
app.command("import")(import_archives)
app.command()(export)
app.command()(verify)
app.command()(anchor)
app.command()(settle)
app.command()(reconcile)
app.command("rebuild")(rebuild_database)
app.command("rotate-keys")(rotate_keys)
app.add_typer(bulk.app, name="bulk")
endpoints.app.command("messages")(list_messages)
endpoints.app.command()(redeliver)
endpoints.app.command("redeliveries")(list_redeliveries)
app.add_typer(endpoints.app, name="endpoints")
app.add_typer(people.app, name="people")
app.add_typer(export_table.app, name="export-table")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(sources.app, name="sources")
app.add_typer(missing.app, name="missing")


def _print_version(*, is_version: bool) -> None:
    if is_version:
        typer.echo(f"cellar {version('cellosign-cellar')}")
        raise typer.Exit


@app.callback()
def cellar(
    *,
    is_version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Receives Cellosign archives: stores them, loads their data, reconciles payments, notifies endpoints."""


@app.command()
def migrate(*, as_json: Json = False) -> None:
    """Bring the metadata database to the newest schema."""
    from adapters.database.migration import migrate as migrate_database  # noqa: PLC0415 -- slow to import
    from adapters.database.migration import revisions  # noqa: PLC0415

    shut_folders(settings())
    migrate_database()
    if as_json:
        typer.echo(json.dumps({"revision": revisions().database}))


def _run() -> None:
    """Run the command without `--install-completion`, which would write into the person's own shell start-up file.

    `--show-completion` prints the same script, and the person decides where it goes.
    """
    command = get_command(app)
    command.params = [each for each in command.params if each.name != "install_completion"]
    command()


def main() -> None:
    """Run the command. Exit with 0 if all is well, with 1 if something is wrong, and with 2 for wrong use."""
    set_up_log()
    try:
        with private_files():
            _run()
    except ValidationError as error:
        typer.echo(f"cellar: a setting is wrong: {in_words(error)}", err=True)
        sys.exit(_WRONG_USE)
    except (WrongUse, Unusable) as error:
        typer.echo(f"cellar: {in_full(error)}", err=True)
        sys.exit(_WRONG_USE)
    except OSError as error:
        if error.filename is None:
            raise
        typer.echo(f"cellar: {error.filename}: {error.strerror}; check the path and its permissions", err=True)
        sys.exit(_WRONG_USE)
    except CellarError as error:
        typer.echo(f"cellar: {in_full(error)}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
