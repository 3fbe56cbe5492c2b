"""Bounds the connections of this process to the database, and names them, so that they can be counted on the server.

A server takes a bounded number of connections from all programs together. Each program of cellar keeps to a number of
its own, which is a setting.
"""

import os
import platform
from enum import StrEnum

from adapters.settings.settings import settings

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
    return settings().receiver_connections if program is Program.RECEIVER else settings().worker_connections


def pool_options() -> dict[str, int]:
    """Return the options of this process's pool. It keeps what it has opened: a new connection takes 3 ms."""
    return {"pool_size": most_connections(_this_process[0]), "max_overflow": 0, "pool_timeout": _WAIT_S}


def application_name() -> str:
    """Return the name of this process's connections, such as `cellar worker 17@host`; it is different in each process.

    The kind comes first, because a long name of a host is cut.
    """
    name = f"{NAME} {_this_process[0]} {os.getpid()}@{platform.node()}"
    return name.encode()[:_MOST_NAME_BYTES].decode(errors="ignore")
