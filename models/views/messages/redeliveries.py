"""Redeliveries as the JSON API and the command line take and show them."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from models.views.messages.messages import MessageFilter
from models.views.parameters import Page, RequestBody, Text


class RedeliveryRequest(RequestBody, MessageFilter):
    """The filters of the messages to deliver again. Without `state`, those that are dead or skipped."""

    force: bool = Field(False, description="also messages that were confirmed, if `state` names `delivered`")
    dry_run: bool = Field(True, description="only plan; `confirm` then freezes the list and makes it due")
    by: Text | None = Field(None, max_length=100, description="your name or program, for the record")

    def filter(self) -> MessageFilter:
        return MessageFilter(**self.model_dump(exclude={"force", "dry_run", "by"}))


class EndpointShare(BaseModel):
    """The messages of a plan to one endpoint. `seconds`: how long they take at its rate, null without a rate."""

    endpoint: str
    messages: int
    failing: bool
    seconds: float | None


class RedeliveryPlan(BaseModel):
    """What a redelivery would send.

    `messages` by endpoint, state and event. `left_out` are the messages by endpoint that match and stay as they are,
    since their endpoint is disabled or removed; `filtered` those that the endpoint's filter leaves out. `seconds` is
    the time of the slowest endpoint that has a rate, null if none has.
    """

    messages: int
    endpoints: list[EndpointShare]
    states: dict[str, int]
    events: dict[str, int]
    left_out: dict[str, int]
    filtered: int
    seconds: float | None


class RedeliveryView(BaseModel):
    """A redelivery and how far it is. `state`: `planned`, `running`, or `done` once no message waits any longer.

    `delivered`, `pending`, `dead` and `skipped` count the messages of the frozen list; they are 0 before.
    """

    id: str
    state: str
    filter: dict[str, Any]
    force: bool
    by: str
    created_at: datetime
    confirmed_by: str | None
    confirmed_at: datetime | None
    planned: int
    delivered: int
    pending: int
    dead: int
    skipped: int
    plan: RedeliveryPlan


class RedeliveryPage(Page[RedeliveryView]):
    """Redeliveries, newest first. `next` is the cursor of the following page."""
