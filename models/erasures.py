"""What is left of erased archives, and what forbids an erasure."""

from datetime import date, datetime

from sqlmodel import Field, SQLModel

from models.columns import Json, Moment


class TombstoneRow(SQLModel, table=True):
    """What is left of an erased archive: `digest` is the keyed digest of its reference, which stands nowhere in it.

    `ground` is the reason that a person gave. `ended_at` is None until all of the archive is removed. `lines` are the
    keyed digests of the lines and leaves that named the archive and were replaced. `returned` counts how often it came
    again.
    """

    __tablename__ = "tombstone"

    digest: str = Field(primary_key=True, max_length=64)
    batch_id: str = Field(index=True, max_length=36)
    ground: str
    erased_by: str
    confirmed_by: str
    erased_at: datetime = Field(index=True, sa_type=Moment)
    ended_at: datetime | None = Field(default=None, sa_type=Moment)
    lines: list[str] = Field(default_factory=list, sa_type=Json)
    returned: int = 0
    last_returned_at: datetime | None = Field(default=None, index=True, sa_type=Moment)


class TombstoneMarkRow(SQLModel, table=True):
    """A keyed digest by which a receipt or a session event is known as that of an erased archive."""

    __tablename__ = "tombstone_mark"

    mark: str = Field(primary_key=True, max_length=64)
    digest: str = Field(index=True, max_length=64)


class HoldRow(SQLModel, table=True):
    """A legal hold: while it is in force, its archive is not erased. `until` is its last day; None: until a release."""

    __tablename__ = "hold"

    hold_id: str = Field(primary_key=True, max_length=32)
    reference: str = Field(index=True, max_length=255)
    why: str
    by: str
    at: datetime = Field(index=True, sa_type=Moment)
    until: date | None = None
    released_by: str | None = None
    released_at: datetime | None = Field(default=None, index=True, sa_type=Moment)
    released_why: str | None = None
