"""Refused deliveries as the JSON API and the command line show them."""

from datetime import datetime

from pydantic import BaseModel, Field

from models.errors import RefusalCode
from models.views.parameters import Integer, Moment, Page, PageQuery, Text


class RefusedQuery(PageQuery):
    """The filters of a list of refused deliveries. A delivery must match every filter that is set."""

    reference: Text | None = None
    process_number: Integer | None = None
    source: Text | None = Field(None, description="the name of a source")
    code: RefusalCode | None = None
    received_after: Moment | None = None
    received_before: Moment | None = None


class RefusedView(BaseModel):
    """A refused delivery. `reference` and `process_number` are null where the body does not show them.

    `released_at`: the time at which a person released the body, which cellar accepted then. `dismissed_at`: the time at
    which a person said, by `dismissed_by` and `dismissed_why`, that it needs nobody any more.
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


class RefusedPage(Page[RefusedView]):
    """A page of refused deliveries, newest first. `next` is the cursor of the following page."""
