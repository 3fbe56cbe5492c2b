"""Receipts, their deliveries and their versions; the runs that archive them, and why these fail or wait.

A *receipt* is a distinct request body, named by its SHA-256. A *delivery* is one arrival of a receipt: first a small
durable record in the inbox, then a row in the database. A *version* is a receipt that says something new about its
process. A *refused delivery* is no well-formed archive: first a record in quarantine, then a row; its body may name its
process even so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import deferred
from sqlmodel import BigInteger, Column, Field, LargeBinary, SQLModel, UniqueConstraint

from models.columns import Json, Moment, index_where
from models.said import Said, in_english, said_of


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an attempt of a run ended without its archive.

    `code` is stable and groups failures (`STORE_AWAY`). `task` is the task that failed, None before the first task.
    `error_class` is the class of the error. `said` is what is wrong and what to do, without a value of a payload.
    """

    code: str
    task: str | None
    error_class: str
    said: Said

    @property
    def sentence(self) -> str:
        return in_english(self.said)

    @property
    def values(self) -> dict[str, Any]:
        return {"sentence": self.said.as_json()}

    def __str__(self) -> str:
        return f"{self.code} in {self.task}: {self.sentence}" if self.task else f"{self.code}: {self.sentence}"


@dataclass(frozen=True, slots=True)
class FailedReceipt:
    """A receipt that has failed for good, since `at`. `flow_run_id` is None if no run of it is known."""

    reference: str
    receipt_id: str
    at: datetime
    cause: Cause
    attempt: int
    flow_run_id: str | None


class CauseColumns(SQLModel):
    """The cause of a failed or waiting receipt; `cause_values` say the sentence by code. All are null in any other
    state.

    `cause_since` is the time of the failure; of a waiting receipt, the time since when it waits.
    """

    cause_code: str | None = Field(default=None, max_length=64)
    cause_task: str | None = Field(default=None, max_length=64)
    cause_error: str | None = Field(default=None, max_length=64)
    cause_sentence: str | None = None
    cause_values: dict[str, Any] | None = Field(default=None, sa_type=Json)
    cause_attempt: int | None = None
    cause_since: datetime | None = Field(default=None, sa_type=Moment)

    def told(self) -> Said:
        """Return what the sentence of a failed or waiting receipt says."""
        return said_of((self.cause_values or {})["sentence"])


class WaitingRow(SQLModel, table=True):
    """A run that waits to be tried again. The row stays while the next attempt works, and goes with the run's end.

    `waits_for` names the system that was away, `since` the end of the first attempt in a row that waits for anything.
    A row with 0 `attempts` is a re-run that a person asked for and that Prefect does not have yet.
    """

    __tablename__ = "waiting"

    flow_run_id: str = Field(primary_key=True, max_length=36)
    reference: str = Field(max_length=255)
    receipt_id: str = Field(index=True, max_length=64)
    waits_for: str = Field(max_length=16, index=True)
    since: datetime = Field(sa_type=Moment)
    attempts: int


DEFAULT_SOURCE = "default"
"""The source of a delivery at the URL that names no source."""
ACCEPTED_BY = "x-cellar-accepted-by"
"""The header of a delivery that names the person who accepted what another source sent. No sender can set it."""
GIVEN_BY = "x-cellar-given-by"
"""The header of a delivery that names the person who gave its source the process. The last such delivery counts."""


@dataclass(frozen=True, slots=True)
class Identity:
    """By what people find an archive: its process, template and source. Known before the answer to a delivery."""

    reference: str
    process_number: int | None = None
    template_id: str | None = None
    source: str = DEFAULT_SOURCE


@dataclass(frozen=True, slots=True)
class Delivery:
    """One arrival of a body. `delivery_id` starts with the time of arrival, so names sort by it.

    `process_number` and `template_id` are read before the answer; `source` is that of the URL.
    """

    delivery_id: str
    receipt_id: str
    reference: str
    received_at: datetime
    size_bytes: int
    headers: dict[str, str]
    process_number: int | None = None
    template_id: str | None = None
    source: str = DEFAULT_SOURCE


class Outcome(StrEnum):
    """What a delivery brought: a new process, a changed body of a known process, or a known body again."""

    NEW = "new"
    CHANGED = "changed"
    DUPLICATE = "duplicate"


class ReceiptRow(CauseColumns, table=True):
    __tablename__ = "receipt"
    __table_args__ = (Index("ix_receipt_completed_at", "completed_at", "received_at"),)

    receipt_id: str = Field(primary_key=True, max_length=64)
    reference: str = Field(index=True, max_length=255)
    state: str = Field(max_length=16)
    received_at: datetime = Field(sa_type=Moment)
    completed_at: datetime | None = Field(default=None, sa_type=Moment)
    size_bytes: int = Field(sa_type=BigInteger)
    source: str = Field(default=DEFAULT_SOURCE, max_length=64)


class DeliveryRow(SQLModel, table=True):
    __tablename__ = "delivery"
    __table_args__ = (
        Index("ix_delivery_receipt_id", "receipt_id", "source"),
        Index("ix_delivery_source", "source", "received_at"),
    )

    delivery_id: str = Field(primary_key=True, max_length=64)
    receipt_id: str = Field(max_length=64)
    reference: str = Field(index=True, max_length=255)
    received_at: datetime = Field(index=True, sa_type=Moment)
    outcome: str = Field(max_length=16)
    headers: dict[str, str] = Field(sa_type=Json)
    flow_run_id: str | None = Field(default=None, max_length=36)
    source: str = Field(default=DEFAULT_SOURCE, max_length=64)


_SKELETON = Column("skeleton", LargeBinary, nullable=False)


class VersionRow(SQLModel, table=True):
    """A version. `skeleton` is the request without its files' contents, as bytes, because JSONB would refuse NUL.

    It has up to 16 MiB, so no query of rows loads it, and reading it from a row raises. Select the column by itself.
    `is_from_future` and `is_set_aside` are those of its age (`domain/archive/versions.py`).
    """

    __tablename__ = "version"
    __table_args__ = (UniqueConstraint("reference", "version"),)
    __mapper_args__ = {"properties": {"skeleton": deferred(_SKELETON, raiseload=True)}}

    receipt_id: str = Field(primary_key=True, max_length=64)
    reference: str = Field(index=True, max_length=255)
    version: int
    event_at: datetime | None = Field(default=None, sa_type=Moment)
    received_at: datetime = Field(sa_type=Moment)
    skeleton: bytes = Field(sa_column=_SKELETON)
    is_from_future: bool = False
    is_set_aside: bool = False
    content_root: str | None = Field(default=None, max_length=64)


@dataclass(frozen=True, slots=True)
class RefusedDelivery:
    """One refused arrival of a body. `where` and `detail` state the reason and contain no value of the body.
    `values` says the place in the body, and the reason, apart.

    `delivery_id` starts with the time of arrival. A person dismisses what is no archive, or will not come in order: it
    needs nobody any more, and its body stays. A dismissal that was withdrawn at `withdrawn_at` counts no longer, and
    stays on record.
    A delivery that is set aside has a record once it is dismissed.
    """

    delivery_id: str
    receipt_id: str
    received_at: datetime
    size_bytes: int
    code: str
    where: str
    detail: str
    reference: str | None = None
    process_number: int | None = None
    released_at: datetime | None = None
    source: str = DEFAULT_SOURCE
    dismissed_at: datetime | None = None
    dismissed_by: str | None = None
    dismissed_why: str | None = None
    withdrawn_at: datetime | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_dismissed(self) -> bool:
        return self.dismissed_at is not None and (self.withdrawn_at is None or self.withdrawn_at < self.dismissed_at)


class RefusedRow(SQLModel, table=True):
    """A refused delivery. `message` is the group of deliveries that one message reports, from `notified_at` on."""

    __tablename__ = "refused"
    __table_args__ = (index_where("ix_refused_unreleased", "released_at IS NULL", "code", "receipt_id"),)

    delivery_id: str = Field(primary_key=True, max_length=64)
    receipt_id: str = Field(index=True, max_length=64)
    received_at: datetime = Field(index=True, sa_type=Moment)
    size_bytes: int = Field(sa_type=BigInteger)
    code: str = Field(max_length=64)
    where: str
    detail: str
    reference: str | None = Field(default=None, index=True, max_length=255)
    process_number: int | None = Field(default=None, index=True, sa_type=BigInteger)
    released_at: datetime | None = Field(default=None, sa_type=Moment)
    dismissed_at: datetime | None = Field(default=None, sa_type=Moment)
    dismissed_by: str | None = None
    dismissed_why: str | None = None
    withdrawn_at: datetime | None = Field(default=None, sa_type=Moment)
    values: dict[str, Any] | None = Field(default=None, sa_type=Json)
    notified_at: datetime | None = Field(default=None, index=True, sa_type=Moment)
    message: str | None = Field(default=None, index=True, max_length=64)
    source: str = Field(default=DEFAULT_SOURCE, max_length=64)


class Trigger(StrEnum):
    """What started a run. `rerun`: a person. `bulk`: a bulk re-run. `retry`: a further attempt of the same flow run."""

    WEBHOOK = "webhook"
    RERUN = "rerun"
    BULK = "bulk"
    RETRY = "retry"
    SWEEP = "sweep"


class RunState(StrEnum):
    """States as Prefect names them. `AwaitingRetry`: the run waits for a system that is away, and is tried again."""

    RUNNING = "Running"
    AWAITING_RETRY = "AwaitingRetry"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CRASHED = "Crashed"
    CANCELLED = "Cancelled"


class RunRow(SQLModel, table=True):
    """One attempt of a flow run at a receipt. `attempt` begins at 1 and grows with each Retry in Prefect.

    The cause of an attempt that failed or waits: its code, the class of the error, and a sentence that says what to do,
    beside the `values` that say it by code.
    """

    __tablename__ = "run"
    __table_args__ = (index_where("ix_run_failed", "state = 'Failed'", "ended_at", "cause_code"),)

    flow_run_id: str = Field(primary_key=True, max_length=36)
    attempt: int = Field(primary_key=True)
    reference: str = Field(index=True, max_length=255)
    receipt_id: str = Field(primary_key=True, index=True, max_length=64)
    trigger: str = Field(max_length=16)
    state: str = Field(max_length=16)
    failed_task: str | None = None
    cause_code: str | None = Field(default=None, max_length=64)
    cause_error: str | None = Field(default=None, max_length=64)
    cause_sentence: str | None = None
    cause_values: dict[str, Any] | None = Field(default=None, sa_type=Json)
    started_at: datetime = Field(sa_type=Moment)
    ended_at: datetime | None = Field(default=None, sa_type=Moment, index=True)


class Leased(StrEnum):
    """What a lease is of: a process, which one run works on; a flow run, which one worker executes; a worker
    itself; and the access log, which one receiver sends elsewhere.
    """

    PROCESS = "process"
    RUN = "run"
    WORKER = "worker"
    ACCESS = "access"


class LeaseRow(SQLModel, table=True):
    """A lease: `holder` alone works on `subject` until `expires_at`, and renews the lease while it lives."""

    __tablename__ = "lease"

    kind: str = Field(primary_key=True, max_length=16)
    subject: str = Field(primary_key=True, max_length=255)
    holder: str = Field(index=True, max_length=64)
    expires_at: datetime = Field(sa_type=Moment)


class TaskResultRow(SQLModel, table=True):
    """The result of a task of a flow run, by Prefect's name for it, so that Retry resumes at the failed task."""

    __tablename__ = "task_result"

    flow_run_id: str = Field(primary_key=True, max_length=36)
    name: str = Field(primary_key=True, max_length=255)
    content: bytes = Field(sa_type=LargeBinary)
