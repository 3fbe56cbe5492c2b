"""Failures as the JSON API and the command line show them."""

from datetime import datetime

from pydantic import BaseModel, Field

from models.store.condition import ConditionCode, Subject
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
    """The open conditions of one code, of archives or of the store: the number of subjects, and of their findings."""

    kind: Subject
    code: ConditionCode
    subjects: int
    count: int
    first_at: datetime
    last_at: datetime


class Failures(BaseModel):
    """The failed archives by cause, the cause of most archives first."""

    items: list[FailureGroup]
