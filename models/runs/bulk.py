"""Bulk re-runs: a filter, the plan that was made of it, the list that was frozen, and what became of each archive."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from models.columns import Json, Moment


class BulkState(StrEnum):
    """`planned`: nothing is frozen and nothing runs yet."""

    PLANNED = "planned"
    RUNNING = "running"
    PAUSED = "paused"
    ABORTED = "aborted"
    DONE = "done"


class ItemState(StrEnum):
    """`skipped`: the archive no longer needed a run, and got none."""

    QUEUED = "queued"
    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Skipped(StrEnum):
    """Why an archive got no run."""

    COMPLETED_SINCE = "completed since"
    ON_ITS_WAY = "on its way"
    GONE = "gone"


class BulkRow(SQLModel, table=True):
    """A bulk re-run. `planned` counts the archives of the plan, after its confirmation of the frozen list.

    `flow_run_id` is the flow run that drives it, `drivers` the number of such flow runs so far. `actions` lists who did
    what and when: objects with `at`, `by` and `what`.
    """

    __tablename__ = "bulk_rerun"

    id: str = Field(primary_key=True, max_length=36)
    state: str = Field(max_length=16, index=True)
    filter: dict[str, Any] = Field(sa_type=Json)
    plan: dict[str, Any] = Field(sa_type=Json)
    planned: int
    by: str
    created_at: datetime = Field(sa_type=Moment, index=True)
    confirmed_at: datetime | None = Field(default=None, sa_type=Moment)
    ended_at: datetime | None = Field(default=None, sa_type=Moment)
    flow_run_id: str | None = Field(default=None, max_length=36)
    drivers: int = 0
    actions: list[dict[str, str]] = Field(sa_type=Json)


class BulkItemRow(SQLModel, table=True):
    """An archive of a frozen list, in the order of arrival. `was` is its state when the list was frozen.

    `receipt_id` is the newest receipt at the start of its run. `started_at` is written before the run is asked for and
    `flow_run_id` after it, so a killed bulk re-run knows which runs it may have started.
    """

    __tablename__ = "bulk_rerun_item"
    __table_args__ = (Index("ix_bulk_rerun_item_state", "state", "bulk_id", "position"),)

    bulk_id: str = Field(primary_key=True, max_length=36)
    position: int = Field(primary_key=True)
    reference: str = Field(max_length=255)
    receipt_id: str | None = Field(default=None, max_length=64)
    was: str = Field(max_length=16)
    state: str = Field(max_length=16)
    skipped: str | None = Field(default=None, max_length=16)
    flow_run_id: str | None = Field(default=None, max_length=36)
    started_at: datetime | None = Field(default=None, sa_type=Moment)
    ended_at: datetime | None = Field(default=None, sa_type=Moment)
