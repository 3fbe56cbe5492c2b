"""Actions: what a person did with an archive, where no other table says so."""

from datetime import datetime
from enum import StrEnum

from sqlmodel import Field, SQLModel

from models.columns import Moment


class ActionKind(StrEnum):
    """What a person did. `rerun`: ran the archive again. `export`: took a copy of it that proves itself.
    `release`: released a refused body that names it.
    """

    RERUN = "rerun"
    EXPORT = "export"
    RELEASE = "release"


class ActionRow(SQLModel, table=True):
    """An action of a person on an archive."""

    __tablename__ = "action"

    action_id: str = Field(primary_key=True, max_length=32)
    reference: str = Field(index=True, max_length=255)
    kind: str = Field(max_length=16)
    by: str
    at: datetime = Field(sa_type=Moment)
