"""Names the caller at this command line, for the record of what they do."""

import getpass
import os
import socket
from typing import Annotated

import typer

from models.access import Caller, Role

NotKept = Annotated[str | None, typer.Option("--by", hidden=True, help="Not kept: the record names your user.")]
"""An option of earlier scripts."""


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
