"""Bodies of messages: the JSON that endpoints receive. docs/notifications.md and docs/events/ describe them."""

from datetime import datetime
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer

from models.messages.event import EventType

MOST_BYTES = 20_000
"""The largest body. Source: Standard Webhooks, "Payload size": under 20 KB."""


def cut(text: str, most: int = 200) -> str:
    """Return the beginning of a text. A long text ends with `…`. Pure."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


Short = Annotated[str, AfterValidator(cut)]
"""A text in a body, apart from references, addresses and sentences. Payloads may have longer texts."""
Sentence = Annotated[str, AfterValidator(partial(cut, most=800))]
"""A sentence in a body."""

Instant = Annotated[datetime, PlainSerializer(datetime.isoformat, when_used="json")]
"""A time in UTC."""

ByCode = dict[str, int]

Reference = Annotated[str, Field(description="the process")]
ReceiptId = Annotated[str, Field(description="SHA-256 of the request that brought the version")]
Source = Annotated[str, Field(description="the source that sent it; `default` is the URL without a source")]
TemplateId = Annotated[Short | None, Field(description="the template of the process")]
ProcessNumber = Annotated[int | None, Field(description="the number of the process")]
Version = Annotated[int, Field(description="the version's number, from 1")]


AskedFields = Annotated[
    dict[str, Any], Field(description="the fields that the endpoint asks for; absent if it asks for none")
]


class Strict(BaseModel):
    """A part of a body. A member that is not described is a mistake of cellar; to receivers, schemas stay open."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Body(Strict):
    """A body. Each type of event narrows `type` and `data`."""

    type: EventType = Field(description="what has happened")
    timestamp: Instant = Field(description="when it happened")
    data: Any


class AboutArchive(Strict):
    """What each message about an archive says."""

    reference: Reference
    receipt_id: ReceiptId
    version: Version
    source: Source
    template_id: TemplateId
    process_number: ProcessNumber
    url: str = Field(description="the whole archive; reading it needs a token of the API")
    fields: AskedFields = Field(default_factory=dict)
