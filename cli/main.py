"""The `cellar` command with all its subcommands."""

import logging
import sys
from typing import Annotated

import typer
from pydantic_core import ValidationError
from typer.main import get_command

from adapters.files.private import private_files
from adapters.observation.log import set_up_log
from cli.commands import Commands
from models.errors import CellarError, Refused, Unusable, WrongUse

_WRONG_USE = 2
_PROGRAMS = {"up", "api", "worker"}
"""Commands whose log is read. Of others, a person reads the output."""

app = typer.Typer(
    cls=Commands,
    help="Receives Cellosign archives: stores them, loads their data, reconciles payments, notifies endpoints.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(*, is_version: bool) -> None:
    if is_version:
        from importlib.metadata import version  # noqa: PLC0415 -- slow

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


def _run() -> None:
    """Run the command without `--install-completion`, which would write into the person's own shell start-up file.

    `--show-completion` prints the same script, and the person decides where it goes.
    """
    command = get_command(app)
    command.params = [each for each in command.params if each.name != "install_completion"]
    command()


def main() -> None:
    """Run the command. Exit with 0 if all is well, with 1 if something is wrong, and with 2 for wrong use."""
    set_up_log(logging.INFO if _PROGRAMS.intersection(sys.argv[1:2]) else logging.WARNING)
    try:
        with private_files():
            _run()
    except ValidationError as error:
        from adapters.settings.setting_errors import in_words  # noqa: PLC0415 -- slow, and `--help` needs no settings

        typer.echo(f"cellar: a setting is wrong: {in_words(error)}", err=True)
        sys.exit(_WRONG_USE)
    except (WrongUse, Unusable) as error:
        typer.echo(f"cellar: {error.in_full()}", err=True)
        sys.exit(_WRONG_USE)
    except OSError as error:
        if error.filename is None:
            raise
        typer.echo(f"cellar: {error.filename}: {error.strerror}; check the path and its permissions", err=True)
        sys.exit(_WRONG_USE)
    except Refused as error:
        is_wrong_use = error.code == "BAD_PARAMETER"
        option = f"--{error.where.replace('_', '-')}: " if error.where else ""
        said = f"{option}{error.detail}" if is_wrong_use else error.in_full()
        typer.echo(f"cellar: {said}", err=True)
        sys.exit(_WRONG_USE if is_wrong_use else 1)
    except CellarError as error:
        typer.echo(f"cellar: {error.in_full()}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
