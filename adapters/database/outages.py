"""Says why the database cannot be used: which file or server cellar asked for, why there, and what to do.

Users and passwords stay out. So do the drivers' texts about Postgres, which name the user.

A server takes a bounded number of connections from all programs together. So each program keeps to a number of its own,
which is a setting, and names its connections, so that they can be counted on the server.
"""

import os
import platform
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

from adapters.settings.database_urls import database_place
from adapters.settings.settings import settings
from models.errors import System, Transient, Unusable
from models.said import Sentence

Failure = TypeVar("Failure", bound=Transient)

_REASONS = {
    "authentication failed": "the server refuses user and password",
    "no password supplied": "the server requires a password",
    "role": "the server does not know the user",
    "does not exist": "the server has no such database",
    "connection refused": "nothing listens at its address",
    "no such file": "nothing listens at its address",
    "resolve host": "no such host is known",
    "translate host": "no such host is known",
    "timeout": "no answer in time",
    "timed out": "no answer in time",
    "too many": "the server has no connection left",
    "no space left": "the server's disk is full",
}
"""What the driver's text contains, and the reason in our words; the first match counts."""


def unanswered(error: DBAPIError) -> Transient:
    """Return the error of a database that does not answer."""
    reason, what_to_do = str(error.orig), location_hint()  # SQLite's texts repeat no values
    if not _is_file():
        said, what_to_do = reason.lower(), "check CELLAR_DATABASE_URL and the server"
        reason = next((reason for part, reason in _REASONS.items() if part in said), type(error.orig).__name__)
    return _noted(Transient(Sentence.database_silent(reason=reason), system=System.DATABASE), what_to_do)


def missing_file(location: str) -> Unusable | None:
    """Return the error of a missing SQLite file, None if the file is there."""
    return None if Path(database_place(location)).is_file() else no_database()


def no_database() -> Unusable:
    is_there = Path(database_place(settings().database_location)).exists()
    error = Unusable(Sentence.database_no_file() if is_there else Sentence.database_absent())
    return _noted(error, f"{location_hint()}; `cellar migrate` makes a new database")


def other_tables() -> Unusable:
    error = Unusable(Sentence.database_differs())
    return _noted(error, f"if it is the wrong database, {location_hint()}")


def not_made(error: OSError) -> Unusable:
    return _noted(Unusable(f"the database cannot be made: {error.strerror}"), location_hint())


def location_hint() -> str:
    """Return which setting names the database, and from which folder a relative path counts."""
    made = settings()
    if made.database_url:
        return f"check CELLAR_DATABASE_URL{_relative(Path(database_place(made.database_url))) if _is_file() else ''}"
    return f"check CELLAR_DATA_DIR, which is {str(made.data_dir)!r}{_relative(made.data_dir)}"


def _noted(error: Failure, what_to_do: str) -> Failure:
    """Add the place of the database and what to do, for a person at the command line: an HTTP client gets no notes."""
    place = database_place(settings().database_location)
    error.add_note(f"{Path(place).absolute() if _is_file() else place}; {what_to_do}")
    return error


def _relative(path: Path) -> str:
    if path.is_absolute():
        return ""
    return f" in the working directory {Path.cwd()}: run the command where `cellar up` runs, or set an absolute path"


def _is_file() -> bool:
    return settings().database_location.startswith("sqlite")


NAME = "cellar"
_MOST_NAME_BYTES = 63  # Postgres cuts longer names
_WAIT_S = 30


class Program(StrEnum):
    """What a process is, as far as its connections are concerned."""

    RECEIVER = "receiver"
    WORKER = "worker"
    COMMAND = "command"


_this_process = [Program.COMMAND]


def connect_as(program: Program) -> None:
    """Let this process connect as a program. Call it before the first connection."""
    _this_process[:] = [program]


def most_connections(program: Program) -> int:
    """Return how many connections one process of a program opens at most."""
    most = settings().worker_connections
    return max(4, most // 2) if program is Program.RECEIVER else most


def pool_options() -> dict[str, int]:
    """Return the options of this process's pool. It keeps what it has opened: a new connection takes 3 ms. The
    connection that was used last comes first, since idle connections are pinged.
    """
    size = most_connections(_this_process[0])
    return {"pool_size": size, "max_overflow": 0, "pool_timeout": _WAIT_S, "pool_use_lifo": True}


def application_name() -> str:
    """Return the name of this process's connections, such as `cellar worker 17@host`; it is different in each process.

    The kind comes first, because a long name of a host is cut.
    """
    name = f"{NAME} {_this_process[0]} {os.getpid()}@{platform.node()}"
    return name.encode()[:_MOST_NAME_BYTES].decode(errors="ignore")
