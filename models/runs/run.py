"""Runs: the history of flow runs per reference, which outlives Prefect's own database; workers, and task results."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlmodel import Field, LargeBinary, SQLModel

from models.columns import Json, Moment, index_where


class Trigger(StrEnum):
    """What started a run. `rerun`: a person. `bulk`: a bulk re-run. `retry`: a further attempt of the same flow run.
    `import`: a person who takes in saved archives; one flow run archives many receipts.
    """

    WEBHOOK = "webhook"
    RERUN = "rerun"
    BULK = "bulk"
    RETRY = "retry"
    SWEEP = "sweep"
    IMPORT = "import"


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
    ended_at: datetime | None = Field(default=None, sa_type=Moment)


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
