"""A move of an installation from one place to another: its places, its mark, its plan and its result."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field


class Places(BaseModel):
    """Where an installation keeps its data, without user and password."""

    store: str
    inbox: str
    database: str


class Phase(StrEnum):
    """How far a move is. While it is CLOSED, neither installation may run."""

    COPYING = "copying"
    CLOSED = "closed"
    COMPLETE = "complete"


class Mark(BaseModel):
    """What both inboxes say of a move, so that no receiver or worker starts in the wrong place.

    A restore marks its target alike, and what it restores: the place of the backup as `store`, its name as `inbox`.
    `command` completes it.
    """

    source: Places
    target: Places
    phase: Phase
    at: datetime
    command: str = "cellar move --from FOLDER"


class Amount(BaseModel):
    files: int = 0
    size_bytes: int = 0


class MovePlan(BaseModel):
    """What a move has to bring. `running` names the programs of the old installation that must be stopped."""

    source: Places
    target: Places
    phase: Phase | None
    store: Amount = Amount()
    inbox: Amount = Amount()
    rows: dict[str, int]
    running: list[str]
    settings: list[str]


class Moved(BaseModel):
    """What a move has brought. `unread` are files of the old installation that cannot be read.

    `late` counts files that came into the old inbox after the last pass: something still acknowledges there.
    """

    plan: MovePlan
    is_complete: bool
    store: Amount = Amount()
    inbox: Amount = Amount()
    rows: dict[str, int] = {}
    unread: list[str] = Field(default_factory=list)
    late: int = 0
