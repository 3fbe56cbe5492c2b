"""Messages and their attempts as the JSON API and the command line show them."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from models.messages.notification import AttemptTrigger, EventType, NotificationState, Stage
from models.views.parameters import Moment, Page, PageQuery, Text


class MessageFilter(BaseModel):
    """The filters of messages. A message must match every filter that is set."""

    endpoint: Text | None = Field(None, description="name of the endpoint")
    state: list[NotificationState] = Field([], description="one of these states")
    message_id: list[Text] = Field([], max_length=500, description="one of these messages")
    event: EventType | None = None
    source: Text | None = None
    template: Text | None = None
    reference: Text | None = None
    since: Moment | None = Field(None, description="the event happened at this time or later")
    until: Moment | None = Field(None, description="the event happened before this time")


class MessageQuery(PageQuery, MessageFilter):
    """A page of messages."""


class MessageView(BaseModel):
    """A message. `skipped_why` says why it is skipped or dead. `source` is null where the event has none."""

    message_id: str
    endpoint: str
    event: str
    event_id: str | None
    reference: str | None = Field(description="null for an event of many archives")
    source: str | None
    state: NotificationState
    skipped_why: str | None
    values: dict[str, Any] | None = Field(None, description="says `skipped_why` by code; null in earlier builds")
    planned_at: datetime = Field(description="time of the event")
    attempts: int = Field(description="number of attempts so far")
    next_attempt_at: datetime | None
    expires_at: datetime | None
    delivered_at: datetime | None


class AttemptView(BaseModel):
    """An attempt. `stage` and `error` say what failed. `answer` is its beginning, null if it repeats the one before."""

    number: int
    trigger: AttemptTrigger
    by: str | None = Field(description="the person who redelivered")
    url: str | None = Field(description="with its tokens masked")
    started_at: datetime
    duration_s: float | None
    status_code: int | None
    stage: Stage | None
    error: str | None
    values: dict[str, Any] | None = Field(None, description="says `error` by code; null in earlier builds")
    answer: str | None
    next_attempt_at: datetime | None


class MessageRecord(MessageView):
    """A message with its attempts, in their order."""

    history: list[AttemptView]


class MessagePage(Page[MessageView]):
    """A page of messages, newest first. `next` is the cursor of the following page."""
