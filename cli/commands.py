"""Names the subcommands of `cellar`, with the sentence that `cellar --help` shows of each.

A subcommand is imported when it is called. All of them together import for two seconds, most of which is the database.
"""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from adapters.platform.imports import uncollected


class Later(TyperCommand):
    """A subcommand before its import. `place` is a function, or the Typer of a group: `module:name`."""

    def __init__(self, name: str, place: str, sentence: str) -> None:
        super().__init__(name, help=sentence)
        self.word, self._place = name, place

    def imported(self) -> Any:
        """Return the subcommand itself, as Typer makes it."""
        module, _, name = self._place.partition(":")
        with uncollected():
            found = getattr(import_module(module), name)
        if isinstance(found, typer.Typer):
            return get_group(found)
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(self.word)(found)
        return get_command(alone)


class Commands(TyperGroup):
    """The subcommands of `cellar`. Help and completion need their names and sentences alone."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = dict(commands())

    def resolve_command(self, *given: Any) -> tuple[str | None, Any, list[str]]:
        name, later, arguments = super().resolve_command(*given)
        return name, later.imported() if isinstance(later, Later) else later, arguments


def commands() -> dict[str, Later]:
    """Return the subcommands by name, in the order of the help."""
    return {each.word: each for each in _COMMANDS}


_COMMANDS = [
    Later(
        "up",
        "cli.programs.up:up",
        "Run the receiver, a Prefect server and a worker in the foreground. Ctrl-C stops them all.",
    ),
    Later("api", "cli.programs.api:api", "Run the receiver: webhook, JSON API and public links."),
    Later(
        "worker",
        "cli.programs.worker:worker",
        "Execute flow runs from Prefect's work pool `cellar`. Creates or updates the pool and its deployments first.",
    ),
    Later(
        "logs",
        "cli.programs.logs:logs",
        "Print the logs of all programs of `cellar up`, oldest line first. To a file or pipe, prints lines of JSON.",
    ),
    Later(
        "simulate",
        "cli.simulation.simulate:simulate",
        "Send realistic archives to a receiver, some of them faulty, and compare the results with what is expected.",
    ),
    Later("list", "cli.archives.archives:list_archives", "List archives, newest first."),
    Later(
        "show",
        "cli.archives.archive_page:show",
        "Show a whole archive, or the differences between two of its versions.",
    ),
    Later("open", "cli.archives.archive_page:open_archive", "Print the address of an archive in the console."),
    Later(
        "rerun",
        "cli.batches.rerun:rerun",
        "Run archives again: the latest receipt of each REFERENCE, or with --failed all that match.",
    ),
    Later(
        "failures",
        "cli.operation.failures:failures",
        "Show the archives whose last run failed, by cause, and the archives that wait and are retried automatically.",
    ),
    Later(
        "status",
        "cli.operation.status:status",
        "Show whether all systems work, and what is waiting, running or failed. Exits with 1 if something is wrong.",
    ),
    Later(
        "doctor",
        "cli.operation.status:doctor",
        "Check settings, files, systems, versions, clocks and deployments. Exits with 1 if something is wrong.",
    ),
    Later(
        "move",
        "cli.operation.move:move",
        "Move an installation to the empty store, inbox and database that the settings name.",
    ),
    Later(
        "discrepancies",
        "cli.payments.discrepancies:app",
        "List discrepancies, including those that belong to no archive.",
    ),
    Later(
        "explain",
        "cli.payments.explain:explain",
        "Record why a discrepancy is in order. It stays explained until its values change or its cause is gone.",
    ),
    Later(
        "import",
        "cli.archives.import_archives:import_archives",
        "Import archives that an older receiver saved. Skips payloads that are archived already. Notifies nobody.",
    ),
    Later(
        "export",
        "cli.archives.export:export",
        "Export an archive as a bag that proves itself: its files, a page, the proof and a program that checks it.",
    ),
    Later(
        "verify",
        "cli.custody.verify:verify",
        "Check every file against its digest, every version against its receipt, and the rows of the database "
        "against the store. Exits with 1 if anything is damaged, missing, unknown or different.",
    ),
    Later(
        "anchor",
        "cli.custody.store:anchor",
        "Sign and date a statement of what the store holds, and copy it to the witness. Keep the root elsewhere.",
    ),
    Later(
        "settle",
        "cli.payments.settle:settle",
        "Import settlement reports. If a report is wrong, no report is imported.",
    ),
    Later(
        "reconcile",
        "cli.archives.reconcile:reconcile",
        "Compare Cellosign's list of processes with the archives.",
    ),
    Later(
        "rebuild",
        "cli.custody.store:rebuild_database",
        "Rebuild the metadata database from the store. The database must be empty, as after `cellar migrate`.",
    ),
    Later(
        "rotate-keys",
        "cli.custody.store:rotate_keys",
        "Encrypt every key in the store again, with the first of CELLAR_SEAL_KEYS.",
    ),
    Later(
        "migrate",
        "cli.operation.migrate:migrate",
        "Upgrade the metadata database to the newest schema, and let workers index what archives lack.",
    ),
    Later("bulk", "cli.batches.batches:app", "List, show, pause, resume and abort bulk re-runs and redeliveries."),
    Later(
        "endpoints",
        "cli.messages.endpoints:app",
        "Add, show, test and change the endpoints that receive messages.",
    ),
    Later(
        "access",
        "cli.operation.access:access",
        "Show who saw, searched, took and changed what, newest first. `cellar verify` checks that nothing was altered.",
    ),
    Later("people", "cli.operation.people:app", "Test whether alerts reach people."),
    Later("export-table", "cli.archives.export_table:app", "Export a table for data teams as a Parquet file."),
    Later("quarantine", "cli.archives.quarantine:app", "List, show, release and dismiss refused payloads."),
    Later(
        "sources",
        "cli.sources:app",
        "Add, list and change sources: projects of Cellosign that send to URLs of their own.",
    ),
    Later("templates", "cli.templates:app", "List, show and name templates: the forms of Cellosign."),
    Later(
        "missing",
        "cli.operation.missing:app",
        "List processes whose archives are missing, and dismiss findings.",
    ),
]
