"""What a person gives a command: options that follow from the fields of a query, and their own name, for the record.

A filter is described once, in its model, for every face.
"""

import getpass
import inspect
import os
import socket
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import Enum
from functools import wraps
from typing import Annotated, Any

import typer
from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo

from cli.terminal import named_options, time_option
from models.access import Caller, Role
from models.views.parameters import PageQuery, is_list, type_of

Command = Callable[..., None]
_MOST_CHOICES = 6
NotKept = Annotated[str | None, typer.Option("--by", hidden=True, help="Not kept: the record names your user.")]
"""An option of earlier scripts."""


def filters(model: type[BaseModel], *left_out: str) -> Callable[[Command], Command]:
    """Let a command have an option for each field of a query but those left out. Its first parameter is the query."""
    fields = sorted(model.model_fields.items(), key=lambda each: each[0] in PageQuery.model_fields)  # the page last
    options = [_option(name, info) for name, info in fields if name not in left_out]

    def _query(given: dict[str, Any]) -> BaseModel:
        with named_options():
            return model.model_validate(given)

    return with_options(options, _query)


def with_options(
    options: Sequence[inspect.Parameter], made: Callable[[dict[str, Any]], object]
) -> Callable[[Command], Command]:
    """Give a command these options. Its first parameter is made of the options that a person gives."""

    def _with_options(command: Command) -> Command:
        @wraps(command)
        def _command(**given: Any) -> None:
            own = {each.name: given.pop(each.name) for each in options}
            command(made({name: value for name, value in own.items() if value is not None}), **given)

        _, *others = inspect.signature(command).parameters.values()
        both = sorted([*options, *others], key=lambda each: each.kind)
        _command.__signature__ = inspect.Signature(both)  # type: ignore[attr-defined]
        return _command

    return _with_options


def text_option(name: str, info: FieldInfo) -> inspect.Parameter:
    """Return the option of a field as a text, which its model reads later."""
    return _parameter(name, str | None, typer.Option(help=_sentence(name, info)))


def _option(name: str, info: FieldInfo) -> inspect.Parameter:
    of, default, about = type_of(info), info.default, _sentence(name, info)
    if of is AwareDatetime:
        return _parameter(name, datetime | None, time_option(about.removesuffix(".")))
    if of is bool and default is False:
        return _parameter(name, bool, typer.Option(f"--{name}", help=about), default)
    if of in (bool, int):
        return _parameter(name, of | None, typer.Option(help=about), default)
    choices = [each.value for each in of] if isinstance(of, type) and issubclass(of, Enum) else []
    if 0 < len(choices) <= _MOST_CHOICES:
        about = f"{about.removesuffix('.')}: {', '.join(choices[:-1])} or {choices[-1]}."
    if is_list(info):
        return _parameter(name, list[str] | None, typer.Option(help=f"{about} Repeatable."))
    return _parameter(name, str | None, typer.Option(help=about), default.value if isinstance(default, Enum) else None)


def _parameter(name: str, of: Any, option: Any, default: object = None) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=Annotated[of, option])


def _sentence(name: str, info: FieldInfo) -> str:
    about = info.description or name.replace("_", " ")
    return f"{about[0].upper()}{about[1:].removesuffix('.')}."


def shell() -> Caller:
    """Return the user of the operating system and the host. Whoever has the shell has all rights."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # the user has no entry in the list of users, as in some containers
        user = f"user {os.getuid()}"
    return Caller(f"{user}@{socket.gethostname()}", Role.OWNER)


def person() -> str:
    """Return the name of the caller."""
    return shell().name
