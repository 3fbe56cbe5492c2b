"""What changed in archives, in order."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel
from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from models.columns import Moment
from models.search import EntryId

_OfArchive = Literal["delivery", "state", "version", "content", "run", "erased"]
_OfBeside = Literal["finding", "duplicate", "settlement", "message", "attention"]
ChangeKind = Literal[_OfArchive, _OfBeside]


class ChangeRow(SQLModel, table=True):
    """A change, in the order of `position`, `reference` and `kind`. Triggers of the database add it (migration 0013).

    `reference` is the keyed digest of that of an erased archive; at position 0, where there is no change, the epoch.
    """

    __tablename__ = "change"
    __table_args__ = (Index("ix_change_reference", "reference", "position"),)

    position: int = Field(primary_key=True, sa_type=EntryId, sa_column_kwargs={"autoincrement": False})
    reference: str = Field(primary_key=True, max_length=255)
    kind: str = Field(primary_key=True, max_length=16)
    at: datetime = Field(sa_type=Moment)


class ChangeView(BaseModel):
    """A change of an archive. `digest` is the keyed digest of its reference, null while the key is away. Of an erased
    archive, it alone is left.
    """

    at: datetime
    kind: ChangeKind
    reference: str | None
    digest: str | None


class ChangePage(BaseModel):
    """A page of changes, in order. `next` is the cursor of the following page, also where there is none yet.

    In another `epoch` than before, the page is the first of all: a cursor of an earlier epoch means the beginning.
    """

    items: list[ChangeView]
    next: str
    epoch: str
