"""Public links as the JSON API and the console show them."""

from datetime import datetime

from pydantic import BaseModel, Field

from models.access import RevokedLink
from models.views.parameters import Page, PageQuery, RequestBody, Statement, Text


class LinkQuery(PageQuery):
    """The filters of a list of links."""

    reference: Text | None = None


class LinkView(BaseModel):
    """The public link of a receipt. `made_at` is the time of the last delivery that was answered with it."""

    receipt_id: str
    reference: str
    made_at: datetime
    expires_at: datetime
    visits: int = Field(description="How often it was opened, without the last seconds.")
    last_visit_at: datetime | None
    revoked: RevokedLink | None


class LinkPage(Page[LinkView]):
    """A page of links, the newest first. `next` is the cursor of the following page."""


class Revocation(RequestBody):
    """Why a link is to open nothing."""

    why: Statement
