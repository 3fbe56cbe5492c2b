"""Missing processes, refused deliveries and failures as the JSON API and the command line show them."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, Field

from models.completeness.processes import Closing, Why
from models.errors import RefusalCode
from models.store.condition import ConditionCode, Severity, Subject
from models.views.parameters import Integer, Moment, Page, PageQuery, Text


class FindingState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


class MissingQuery(PageQuery):
    """The filters of a list of missing processes. A finding must match every filter that is set."""

    source: Text | None = Field(None, description="the name of a source")
    reference: Text | None = Field(None, description="a full process reference")
    why: Why | None = Field(None, description="why a process is missing")
    state: FindingState = FindingState.OPEN


class MissingView(BaseModel):
    """A process that should have been archived since `since`. Cellosign deletes it at `deadline_at`.

    `hours_left` are full hours, 0 after the deadline. `alerted_h`: the last alert, 24, 12 or 2 hours before the
    deadline. `closed_why`: `archived`, `continued` (its process goes on), `deleted` (lost), or `dismissed` by a person.
    `withdrawn_at`: when a person took the last dismissal back.
    """

    missing_id: str
    state: FindingState
    source: str
    reference: str | None
    process_number: int | None
    transaction_number: int | None
    why: Why
    since: datetime
    deadline_at: datetime
    hours_left: int
    alerted_h: int | None
    opened_at: datetime
    closed_at: datetime | None
    closed_why: Closing | None
    closed_by: str | None
    closed_reason: str | None
    withdrawn_at: datetime | None


class MissingPage(Page[MissingView]):
    """A page of missing processes, the nearest deadline first. `next` is the cursor of the following page."""


class RefusedQuery(PageQuery):
    """The filters of a list of refused deliveries. A delivery must match every filter that is set."""

    reference: Text | None = None
    process_number: Integer | None = None
    source: Text | None = Field(None, description="the name of a source")
    code: RefusalCode | None = None
    received_after: Moment | None = None
    received_before: Moment | None = None
    state: FindingState | None = Field(None, description="whether they need a person")


class RefusedView(BaseModel):
    """A refused delivery. `reference` and `process_number` are null where the body does not show them.

    `released_at`: the time at which a person released the body, which cellar accepted then. `dismissed_at`: the time at
    which a person said, by `dismissed_by` and `dismissed_why`, that it needs nobody any more. `withdrawn_at`: when the
    person took the last dismissal back. `values` says `byte`, its place, and `reason`, if known.
    """

    receipt_id: str
    reference: str | None
    process_number: int | None
    source: str
    code: str
    where: str
    detail: str
    received_at: datetime
    size_bytes: int
    released_at: datetime | None
    dismissed_at: datetime | None
    dismissed_by: str | None
    dismissed_why: str | None
    withdrawn_at: datetime | None
    values: dict[str, Any]


class RefusedPage(Page[RefusedView]):
    """A page of refused deliveries, newest first. `next` is the cursor of the following page."""


class FailureQuery(BaseModel):
    """The filter of failures."""

    source: Text | None = Field(None, description="the name of a source")


class FailureGroup(BaseModel):
    """The failed archives of one cause. `task`: null before the first task. `sentence`: of the last failure, which
    `values` say by code.

    `condition` is null, or `RUN_FAILED` where the archives are complete and their last run has failed.
    """

    condition: ConditionCode | None = None
    code: str
    task: str | None
    sentence: str
    values: dict[str, Any]
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
