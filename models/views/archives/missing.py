"""Missing processes as the JSON API and the command line show them."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel

from models.completeness.missing_process import Closing, Why
from models.views.parameters import Page, PageQuery, Text


class FindingState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


class MissingQuery(PageQuery):
    """The filters of a list of missing processes. A finding must match every filter that is set."""

    source: Text | None = None
    reference: Text | None = None
    why: Why | None = None
    state: FindingState = FindingState.OPEN


class MissingView(BaseModel):
    """A process that should have been archived since `since`. Cellosign deletes it at `deadline_at`.

    `hours_left` are full hours, 0 after the deadline. `alerted_h`: the last alert, 24, 12 or 2 hours before the
    deadline. `closed_why`: `archived`, `continued` (its process goes on), `deleted` (lost), or `dismissed` by a person.
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


class MissingPage(Page[MissingView]):
    """A page of missing processes, the nearest deadline first. `next` is the cursor of the following page."""
