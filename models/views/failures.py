"""Failures as the JSON API and the command line show them."""

from datetime import datetime

from pydantic import BaseModel, Field

from models.views.parameters import Text


class FailureQuery(BaseModel):
    """The filter of failures."""

    source: Text | None = Field(None, description="the name of a source")


class FailureGroup(BaseModel):
    """The failed archives of one cause. `task`: null before the first task. `sentence`: of the last failure."""

    code: str
    task: str | None
    sentence: str
    archives: int
    first_at: datetime
    last_at: datetime


class Failures(BaseModel):
    """The failed archives by cause, the cause of most archives first."""

    items: list[FailureGroup]
