"""Letters: what a notice says to one address at one time."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from models.columns import Moment


class LetterRow(SQLModel, table=True):
    """A letter. `number` counts the letters of a notice to an address, from 1.

    `address` is masked: a scheme and a digest. The letter is sent next at `next_at`, which is None once it is sent,
    replaced by a newer letter of its notice, or given up.
    `failure` says why the last attempt failed, without a word of the service that refused it.
    """

    __tablename__ = "letter"

    notice_id: str = Field(primary_key=True, max_length=32)
    number: int = Field(primary_key=True)
    address: str = Field(primary_key=True, max_length=64)
    title: str
    text: str
    planned_at: datetime = Field(sa_type=Moment)
    attempts: int = 0
    next_at: datetime | None = Field(default=None, index=True, sa_type=Moment)
    sent_at: datetime | None = Field(default=None, index=True, sa_type=Moment)
    failed_at: datetime | None = Field(default=None, index=True, sa_type=Moment)
    failure: str | None = None
