"""The mark of a restore that is not complete."""

from datetime import datetime

from pydantic import BaseModel


class Mark(BaseModel):
    """What an inbox says of a restore, so that no receiver or worker starts before everything is there.

    `backup` is the name of the backup in the place `source`. `target` is the installation: its store, inbox and
    database, without user and password. `command` completes the restore.
    """

    source: str
    backup: str
    target: tuple[str, str, str]
    at: datetime
    command: str
