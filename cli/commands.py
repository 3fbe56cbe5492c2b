"""Names the subcommands of `cellar`, with the sentence that `cellar --help` shows of each.

A subcommand is imported when it is called. All of them together import for two seconds, most of which is the database.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from importlib import import_module
from typing import Any

import structlog
import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from adapters.platform.imports import uncollected
from models.errors import Transient

log = structlog.get_logger()

Actions = str | Mapping[str, str] | None
"""The name of a command's action, or that of each subcommand of a group; None: none is named yet."""
NO_CONTENT = ""
"""Of a command that shows and changes no archive, finding or setting."""


class Later(TyperCommand):
    """A subcommand before its import. `place` is a function, or the Typer of a group: `module:name`."""

    def __init__(self, name: str, place: str, sentence: str, actions: Actions = None) -> None:
        super().__init__(name, help=sentence)
        self.word, self.actions, self._place = name, actions, place

    def imported(self) -> Any:
        """Return the subcommand itself, as Typer makes it. It records what it does before it does it."""
        module, _, name = self._place.partition(":")
        with uncollected():
            found = getattr(import_module(module), name)
        if isinstance(found, typer.Typer):
            group = get_group(found)
            for word, each in group.commands.items():
                _let_record(
                    each, f"{self.word} {word}", self.actions[word] if isinstance(self.actions, Mapping) else ""
                )
            return group
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(self.word)(found)
        command = get_command(alone)
        _let_record(command, self.word, self.actions if isinstance(self.actions, str) else "")
        return command


def _let_record(command: Any, name: str, action: str) -> None:
    """Let a command write a row of the access log before it acts: one for each reference that is given, or one."""
    callback: Callable[..., Any] = command.callback
    if not action:
        return

    @wraps(callback)
    def _recorded(**given: Any) -> Any:
        from cli.person import shell  # noqa: PLC0415 -- slow, as those below
        from models.access import Action  # noqa: PLC0415
        from services.access.log import record, searched  # noqa: PLC0415

        references = given.get("references") or [given.get("reference")]
        others = {key: str(each) for key, each in given.items() if each and not key.startswith("reference")}
        kept = {"given": others} if action == Action.CHANGE_PEOPLE else {"searched": searched(others.items())}
        detail = {"command": name, **kept}
        try:
            for each in references:
                record(shell(), Action(action), reference=each, detail=detail)
        except Transient:
            if not name.startswith("quarantine "):  # which is there while the database is away
                raise
            log.warning("this command is not in the access log: the database does not answer", command=name)
        return callback(**given)

    command.callback = _recorded


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
        NO_CONTENT,
    ),
    Later("api", "cli.programs.api:api", "Run the receiver: webhook, JSON API and public links.", NO_CONTENT),
    Later(
        "worker",
        "cli.programs.worker:worker",
        "Execute flow runs from Prefect's work pool `cellar`. Creates or updates the pool and its deployments first.",
        NO_CONTENT,
    ),
    Later(
        "logs",
        "cli.programs.logs:logs",
        "Print the logs of all programs of `cellar up`, oldest line first. To a file or pipe, prints lines of JSON.",
        NO_CONTENT,
    ),
    Later(
        "simulate",
        "cli.simulation.simulate:simulate",
        "Send realistic archives to a receiver, some of them faulty, and compare the results with what is expected.",
        NO_CONTENT,
    ),
    Later("list", "cli.archives.archives:list_archives", "List archives, newest first.", "list_archives"),
    Later(
        "show",
        "cli.archives.archive_page:show",
        "Show a whole archive, or the differences between two of its versions.",
        "read_archive",
    ),
    Later(
        "open", "cli.archives.archive_page:open_archive", "Print the address of an archive in the console.", NO_CONTENT
    ),
    Later(
        "rerun",
        "cli.batches.rerun:rerun",
        "Run archives again: the latest receipt of each REFERENCE, or with --failed all that match.",
        "rerun",
    ),
    Later(
        "failures",
        "cli.operation.failures:failures",
        "Show the archives whose last run failed, by cause, and the archives that wait and are retried automatically.",
        "read_troubles",
    ),
    Later(
        "status",
        "cli.operation.status:status",
        "Show whether all systems work, and what is waiting, running or failed. Exits with 1 if something is wrong.",
        NO_CONTENT,
    ),
    Later(
        "doctor",
        "cli.operation.status:doctor",
        "Check settings, files, systems, versions, clocks and deployments. Exits with 1 if something is wrong.",
        NO_CONTENT,
    ),
    Later(
        "move",
        "cli.operation.move:move",
        "Move an installation to the empty store, inbox and database that the settings name.",
        NO_CONTENT,
    ),
    Later(
        "discrepancies",
        "cli.payments.discrepancies:app",
        "List discrepancies, including those that belong to no archive.",
        {"list": "read_troubles"},
    ),
    Later(
        "explain",
        "cli.payments.explain:explain",
        "Record why a discrepancy is in order. It stays explained until its values change or its cause is gone.",
        "decide",
    ),
    Later(
        "import",
        "cli.archives.import_archives:import_archives",
        "Import archives that an older receiver saved. Skips payloads that are archived already. Notifies nobody.",
        "release",
    ),
    Later(
        "export",
        "cli.archives.export:export",
        "Export an archive as a bag that proves itself: its files, a page, the proof and a program that checks it.",
        "export_archive",
    ),
    Later(
        "verify",
        "cli.custody.verify:verify",
        "Check every file against its digest, every version against its receipt, and the rows of the database "
        "against the store. Exits with 1 if anything is damaged, missing, unknown or different.",
        NO_CONTENT,
    ),
    Later(
        "anchor",
        "cli.custody.store:anchor",
        "Sign and date a statement of what the store holds, and copy it to the witness. Keep the root elsewhere.",
        NO_CONTENT,
    ),
    Later(
        "settle",
        "cli.payments.settle:settle",
        "Import settlement reports. If a report is wrong, no report is imported.",
        "decide",
    ),
    Later(
        "reconcile",
        "cli.archives.reconcile:reconcile",
        "Compare Cellosign's list of processes with the archives.",
        "decide",
    ),
    Later(
        "rebuild",
        "cli.custody.store:rebuild_database",
        "Rebuild the metadata database from the store. The database must be empty, as after `cellar migrate`.",
        NO_CONTENT,
    ),
    Later(
        "rotate-keys",
        "cli.custody.store:rotate_keys",
        "Encrypt every key in the store again, with the first of CELLAR_SEAL_KEYS.",
        NO_CONTENT,
    ),
    Later(
        "migrate",
        "cli.operation.migrate:migrate",
        "Upgrade the metadata database to the newest schema, and let workers index what archives lack.",
        NO_CONTENT,
    ),
    Later(
        "bulk",
        "cli.batches.batches:app",
        "List, show, pause, resume and abort bulk re-runs and redeliveries.",
        {"list": "read_troubles", "show": "read_troubles"} | dict.fromkeys(("pause", "resume", "abort"), "rerun"),
    ),
    Later(
        "endpoints",
        "cli.messages.endpoints:app",
        "Add, show, test and change the endpoints that receive messages.",
        {
            **dict.fromkeys(("list", "show"), "read_settings"),
            **dict.fromkeys(("add", "test", "disable", "enable", "rotate", "remove"), "change_settings"),
            **dict.fromkeys(("messages", "redeliveries"), "read_troubles"),
            "redeliver": "redeliver",
        },
    ),
    Later("people", "cli.operation.people:app", "Test whether alerts reach people.", {"test": NO_CONTENT}),
    Later(
        "export-table",
        "cli.archives.export_table:app",
        "Export a table for data teams as a Parquet file.",
        {"payments": "export_table"},
    ),
    Later(
        "quarantine",
        "cli.archives.quarantine:app",
        "List, show, release and dismiss refused payloads.",
        {"list": "read_troubles", "show": "read_troubles", "release": "release", "dismiss": "decide"},
    ),
    Later(
        "access",
        "cli.operation.access:access",
        "Show who saw, searched, took and changed what, newest first. `cellar verify` checks that nothing was altered.",
        "read_access",
    ),
    Later(
        "sources",
        "cli.sources:app",
        "Add, list and change sources: projects of Cellosign that send to URLs of their own.",
        dict.fromkeys(("list", "show"), "read_settings")
        | dict.fromkeys(("add", "set", "rotate", "disable", "enable"), "change_settings"),
    ),
    Later(
        "templates",
        "cli.templates:app",
        "List, show and name templates: the forms of Cellosign.",
        dict.fromkeys(("list", "show", "export"), "read_templates")
        | {"name": "change_templates", "import": "change_templates"},
    ),
    Later(
        "missing",
        "cli.operation.missing:app",
        "List processes whose archives are missing, and dismiss findings.",
        {"list": "read_troubles", "dismiss": "decide"},
    ),
    Later(
        "tokens",
        "cli.tokens:app",
        "Add, list and revoke tokens of machines, each with a role.",
        dict.fromkeys(("add", "list", "revoke"), "change_people"),
    ),
    Later(
        "users",
        "cli.users:app",
        "Add, list and change people who sign in by a password; list and end logins.",
        dict.fromkeys(("add", "list", "set", "disable", "enable", "reset", "sessions", "sign-out"), "change_people"),
    ),
]
