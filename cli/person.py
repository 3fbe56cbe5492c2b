"""Names the person at this command line, for the record of what they change."""

import getpass
import os
import socket


def person() -> str:
    """Return the user of the operating system and the host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # the user has no entry in the list of users, as in some containers
        user = f"user {os.getuid()}"
    return f"{user}@{socket.gethostname()}"
