"""Causes: why a run failed, or why it waits to be tried again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from models.columns import Json, Moment
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
        """Return what the sentence says; as it is where an earlier build kept it alone."""
        kept = {"text": self.cause_sentence or ""}
        return said_of(self.cause_values["sentence"]) if self.cause_values else Said("kept_before", kept)


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
