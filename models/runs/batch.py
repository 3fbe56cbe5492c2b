"""Batches: a filter, the plan that was made of it, the list that was frozen, and what became of each item."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, PrimaryKeyConstraint
from sqlmodel import Field, SQLModel

from models.columns import Json, Moment


class BatchKind(StrEnum):
    """What a batch does with each of its items."""

    RERUN = "rerun"
    REDELIVER = "redeliver"
    ERASE = "erase"


class BatchState(StrEnum):
    """`planned`: nothing is frozen and nothing runs yet."""

    PLANNED = "planned"
    RUNNING = "running"
    PAUSED = "paused"
    ABORTED = "aborted"
    DONE = "done"


class BatchAction(StrEnum):
    """What a person does with a plan or a batch."""

    CONFIRM = "confirm"
    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"


class ItemState(StrEnum):
    """`skipped`: nothing was to be done for the item any longer, or its endpoint has left."""

    QUEUED = "queued"
    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Skipped(StrEnum):
    """Why nothing was done for an item."""

    COMPLETED_SINCE = "completed since"
    ON_ITS_WAY = "on its way"
    GONE = "gone"
    HELD = "held"


class BatchFacts(SQLModel):
    """What the row of a batch and its view share. `planned` counts the plan, after the confirmation the frozen list."""

    id: str = Field(primary_key=True, max_length=36)
    kind: str = Field(max_length=16)
    state: str = Field(max_length=16, index=True)
    filter: dict[str, Any] = Field(sa_type=Json)
    planned: int
    by: str
    created_at: datetime = Field(sa_type=Moment, index=True)
    confirmed_at: datetime | None = Field(default=None, sa_type=Moment)
    ended_at: datetime | None = Field(default=None, sa_type=Moment)


class BatchRow(BatchFacts, table=True):
    """A batch. `flow_run_id` is the flow run that drives it, `drivers` the number of such flow runs so far. `actions`
    lists who did what and when: objects with `at`, `by` and `what`.
    """

    __tablename__ = "batch"

    plan: dict[str, Any] = Field(sa_type=Json)
    flow_run_id: str | None = Field(default=None, max_length=36)
    drivers: int = 0
    actions: list[dict[str, str]] = Field(sa_type=Json)


class ItemFacts(SQLModel):
    """What the row of an item and its view share. `subject` is the reference of an archive or the id of a message;
    of an archive that is erased, or on its way to it, the digest of its reference.

    `was` is the state of the subject when the list was frozen. `skipped` says why nothing was done for it, `cause` and
    `sentence` why it failed; `values` say the sentence by code, or of
    an erased archive what an Object Lock keeps (`key`), and until when (`until`).
    """

    position: int = Field(primary_key=True)
    subject: str = Field(max_length=255)
    receipt_id: str | None = Field(default=None, max_length=64)
    was: str = Field(max_length=16)
    state: str = Field(max_length=16)
    skipped: str | None = Field(default=None, max_length=16)
    cause: str | None = None
    sentence: str | None = None
    values: dict[str, Any] | None = Field(default=None, sa_type=Json)
    flow_run_id: str | None = Field(default=None, max_length=36)
    started_at: datetime | None = Field(default=None, sa_type=Moment)
    ended_at: datetime | None = Field(default=None, sa_type=Moment)


class BatchItemRow(ItemFacts, table=True):
    """An item of a frozen list. Archives have the order of their arrival, messages that of their events.

    `receipt_id` is the newest receipt at the start of an archive's run. `started_at` is written before the run is asked
    for and `flow_run_id` after it, so a killed batch knows which runs it may have started.
    """

    __tablename__ = "batch_item"
    __table_args__ = (
        PrimaryKeyConstraint("batch_id", "position"),
        Index("ix_batch_item_state", "state", "batch_id", "position"),
    )

    batch_id: str = Field(primary_key=True, max_length=36)
