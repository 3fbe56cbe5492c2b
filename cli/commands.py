"""Names the subcommands of `cellar`, with the actions that they record.

A subcommand is imported when it is called. All of them together import for two seconds, most of which is the database.
"""

import ast
from collections.abc import Callable, Mapping
from functools import cached_property, wraps
from importlib import import_module
from pathlib import Path
from typing import Any

import structlog
import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from adapters.platform.imports import uncollected
from models.errors import Transient

log = structlog.get_logger()

Actions = str | Mapping[str, str]
"""The name of a command's action, or that of each subcommand of a group."""
NO_CONTENT = ""
"""Of a command that shows and changes no archive, finding or setting."""


class Later(TyperCommand):
    """A subcommand before its import. `place` is a function, or the Typer of a group: `module:name`."""

    def __init__(self, name: str, place: str, actions: Actions) -> None:
        super().__init__(name)
        self.word, self.actions, self._place = name, actions, place
        del self.help  # which is read when it is shown

    @cached_property
    def help(self) -> str:  # type: ignore[override]
        """The first sentences of its own help, read from its source: the import of all takes two seconds."""
        module, _, name = self._place.partition(":")
        source = Path(__file__).parents[1].joinpath(*module.split(".")).with_suffix(".py").read_bytes()
        for each in ast.parse(source).body:
            match each:
                case ast.FunctionDef(name=found) if found == name:
                    return " ".join((ast.get_docstring(each) or "").partition("\n\n")[0].split())
                case ast.Assign(targets=[ast.Name(id=found)], value=ast.Call(keywords=given)) if found == name:
                    return str({each.arg: ast.literal_eval(each.value) for each in given}["help"])
        raise LookupError(self._place)

    def imported(self) -> Any:
        """Return the subcommand itself, as Typer makes it. It records what it does before it does it."""
        module, _, name = self._place.partition(":")
        with uncollected():
            found = getattr(import_module(module), name)
        if isinstance(self.actions, str):
            alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            alone.command(self.word)(found)
            command = get_command(alone)
            _let_record(command, self.word, self.actions)
            return command
        group = get_group(found)
        for word, each in group.commands.items():
            _let_record(each, f"{self.word} {word}", self.actions[word])
        return group


def _let_record(command: Any, name: str, action: str) -> None:
    """Let a command write a row of the access log before it acts: one for each reference that is given, or one."""
    callback: Callable[..., Any] = command.callback
    if not action:
        return

    @wraps(callback)
    def _recorded(**given: Any) -> Any:
        from cli.options import shell  # noqa: PLC0415 -- slow, as those below
        from models.access import Action  # noqa: PLC0415
        from services.access.log import record, searched  # noqa: PLC0415

        references = given.get("references") or [given.get("reference")]
        others = [(key, each) for key, each in given.items() if each and not key.startswith("reference")]
        texts = [(key, str(text)) for key, each in others for text in (each if isinstance(each, list) else [each])]
        kept = {"given": dict(texts)} if action == Action.CHANGE_PEOPLE else {"searched": searched(texts)}
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

    def resolve_command(self, context: Any, words: list[str]) -> tuple[str | None, Any, list[str]]:
        name, later, arguments = super().resolve_command(context, _FORMER.get(words[0], words[:1]) + words[1:])
        return name, later.imported() if isinstance(later, Later) else later, arguments


def commands() -> dict[str, Later]:
    """Return the subcommands by name, in the order of the help."""
    return {each.word: each for each in _COMMANDS}


def _each(**words: str) -> dict[str, str]:
    """Return the actions of the subcommands of a group: each is named with the words of its subcommands."""
    return {word: action for action, named in words.items() for word in named.split()}


_FORMER = {"doctor": ["status", "--deep"]}
"""What names of earlier versions stand for. No help shows them."""
_COMMANDS = [
    Later("up", "cli.programs.up:up", NO_CONTENT),
    Later("api", "cli.programs.api:api", NO_CONTENT),
    Later("worker", "cli.programs.worker:worker", NO_CONTENT),
    Later("simulate", "cli.simulation.simulate:simulate", NO_CONTENT),
    Later("list", "cli.archives.archives:list_archives", "list_archives"),
    Later("show", "cli.archives.archive_page:show", "read_archive"),
    Later("open", "cli.archives.archive_page:open_archive", NO_CONTENT),
    Later("rerun", "cli.batches.rerun:rerun", "rerun"),
    Later("erase", "cli.batches.erase:erase", "erase"),
    Later("hold", "cli.archives.holds:hold", "hold"),
    Later("failures", "cli.operation.failures:failures", "read_troubles"),
    Later("status", "cli.operation.status:status", NO_CONTENT),
    Later("discrepancies", "cli.payments.discrepancies:app", {"list": "read_troubles"}),
    Later("explain", "cli.payments.discrepancies:explain", "decide"),
    Later("import", "cli.archives.import_archives:import_archives", "release"),
    Later("export", "cli.archives.export:export", "export_archive"),
    Later("person", "cli.archives.person:person", "find_person"),
    Later("verify", "cli.custody.verify:verify", NO_CONTENT),
    Later("anchor", "cli.custody.store:anchor", NO_CONTENT),
    Later("settle", "cli.payments.settle:settle", "decide"),
    Later("reconcile", "cli.archives.reconcile:reconcile", "decide"),
    Later("rebuild", "cli.custody.store:rebuild_database", NO_CONTENT),
    Later("rotate-keys", "cli.custody.store:rotate_keys", NO_CONTENT),
    Later("backup", "cli.custody.backup:backup", NO_CONTENT),
    Later("restore", "cli.custody.backup:restore", NO_CONTENT),
    Later("migrate", "cli.operation.migrate:migrate", NO_CONTENT),
    Later(
        "bulk", "cli.batches.batches:app", _each(read_troubles="list show", rerun="pause resume abort", erase="confirm")
    ),
    Later(
        "endpoints",
        "cli.messages.endpoints:app",
        _each(
            read_settings="list show",
            change_settings="add test disable enable rotate remove",
            read_troubles="messages",
            redeliver="redeliver",
        ),
    ),
    Later("people", "cli.operation.status:people", {"test": NO_CONTENT}),
    Later("export-table", "cli.archives.export:export_table", "export_table"),
    Later(
        "quarantine",
        "cli.archives.quarantine:app",
        _each(read_troubles="list show", release="release", decide="dismiss"),
    ),
    Later("access", "cli.users:access", "read_access"),
    Later(
        "sources", "cli.sources:app", _each(read_settings="list show", change_settings="add set rotate disable enable")
    ),
    Later("templates", "cli.templates:app", _each(read_templates="list show export", change_templates="name import")),
    Later("missing", "cli.operation.failures:missing", {"list": "read_troubles", "dismiss": "decide"}),
    Later("tokens", "cli.users:tokens_app", _each(read_people="list", change_people="add revoke")),
    Later(
        "users",
        "cli.users:app",
        _each(read_people="list sessions", change_people="add set disable enable reset sign-out"),
    ),
]
