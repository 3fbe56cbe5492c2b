"""What happened and follows from nothing else: rows on their way into the store."""

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from models.columns import Json, Moment


class NotedRow(SQLModel, table=True):
    """A row of the table `of`, as it was written at `at`, until the store has it. `row` are its columns as JSON."""

    __tablename__ = "noted"

    id: str = Field(primary_key=True, max_length=32)
    at: datetime = Field(index=True, sa_type=Moment)
    of: str = Field(max_length=32)
    row: dict[str, Any] = Field(sa_type=Json)
