"""Saved views: searches of archives that people of an installation share by name."""

from datetime import datetime

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from models.columns import Moment

LONGEST_NAME = 60
_SHOWN = text("ended_at IS NULL")


class SavedViewRow(SQLModel, table=True):
    """A search of archives with its columns. It is shown until somebody removes or replaces it.

    `query` is that of the list's address. No two views that are shown have the same name.
    """

    __tablename__ = "saved_view"
    __table_args__ = (Index("ix_saved_view_shown", "name", unique=True, sqlite_where=_SHOWN, postgresql_where=_SHOWN),)

    view_id: str = Field(primary_key=True, max_length=32)
    name: str = Field(max_length=LONGEST_NAME)
    query: str
    saved_by: str
    saved_at: datetime = Field(sa_type=Moment)
    ended_by: str | None = None
    ended_at: datetime | None = Field(default=None, sa_type=Moment)
