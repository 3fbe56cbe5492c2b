"""Legal holds as the JSON API, the console and the command line show them."""

from datetime import date, datetime

from pydantic import BaseModel, Field

from models.views.parameters import Day, Page, PageQuery, RequestBody, Statement, Text


class Holding(RequestBody):
    """Why an archive is put on hold, and until when. `until` is the last day, null for until somebody releases it."""

    reason: Statement
    until: Day | None = None


class Releasing(RequestBody):
    """Why a hold is released."""

    reason: Statement | None = None


class HoldView(BaseModel):
    """A legal hold. While it is in force, nobody can erase its archive, and the archive is not due."""

    hold_id: str
    reference: str
    in_force: bool
    reason: str
    by: str
    at: datetime
    until: date | None
    released_by: str | None
    released_at: datetime | None
    released_reason: str | None


class HoldQuery(PageQuery):
    """The filters of a list of holds. A hold must match every filter that is set."""

    reference: Text | None = Field(None, description="a full process reference")
    in_force: bool | None = Field(None, description="neither released nor past its last day")


class HoldPage(Page[HoldView]):
    """A page of holds, newest first. `next` is the cursor of the following page."""
