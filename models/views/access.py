"""The access log and public links as the JSON API, the console and the command line show them."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from models.access import Action, Outcome, RevokedLink, Role
from models.views.parameters import Moment, Page, PageQuery, Text


class AccessQuery(PageQuery):
    """The filters of the access log. A record must match every filter that is set."""

    person: Text | None = Field(None, description="the name of a login or a token")
    reference: Text | None = Field(None, description="a full process reference")
    action: Action | None = Field(None, description="an action, such as read_archive, unmask or download_file")
    since: Moment | None = Field(None, description="recorded from this time on")
    until: Moment | None = Field(None, description="recorded before this time")


class AccessView(BaseModel):
    """What somebody did or was denied. `reference` is null where it is about no single archive, and where it is about
    an archive that was erased or never there: then `reference_digest` alone names it.

    `address` is the client's, empty for a command. `detail` has what else is known: the `route` or the command, and of
    a search the names of its filters with keyed digests of their terms.
    """

    at: datetime
    person: str
    role: Role
    action: Action
    reference: str | None
    reference_digest: str | None
    outcome: Outcome
    address: str
    detail: dict[str, Any]


class AccessPage(Page[AccessView]):
    """A page of the access log, newest first. `next` is the cursor of the following page."""


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
