"""Failures as the JSON API and the command line show them."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from models.store.condition import ConditionCode, Severity, Subject
from models.views.parameters import Text


class FailureQuery(BaseModel):
    """The filter of failures."""

    source: Text | None = Field(None, description="the name of a source")


class FailureGroup(BaseModel):
    """The failed archives of one cause. `task`: null before the first task. `sentence`: of the last failure.

    `condition` is null, or `RUN_FAILED` where the archives are complete and their last run has failed.
    """

    condition: ConditionCode | None = None
    code: str
    task: str | None
    sentence: str
    archives: int
    first_at: datetime
    last_at: datetime


class ConditionGroup(BaseModel):
    """An open condition of the installation: what is wrong, with how many subjects, and since when.

    `key` tells it from others of its code: a cause, a system, a source, an endpoint, a code of a refusal. `count` is
    the number of findings, or of messages that wait. Times are null where none are kept.
    """

    code: str
    kind: Subject
    key: str = ""
    severity: Severity
    subjects: int
    count: int
    first_at: datetime | None
    last_at: datetime | None
    values: dict[str, Any] = Field(default_factory=dict, description="what words need beside the numbers")


class Failures(BaseModel):
    """The failed archives by cause, the cause of most archives first."""

    items: list[FailureGroup]
