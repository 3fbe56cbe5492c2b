"""Endpoints and messages as the JSON API and the command line take and show them."""

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from models.messages.notification import OF_SETTINGS, AttemptTrigger, EventType, NotificationState, Signature, Stage
from models.views.parameters import ActionView, Client, Moment, Page, PageQuery, Text


class MessageFilter(BaseModel):
    """The filters of messages. A message must match every filter that is set."""

    endpoint: Text | None = Field(None, description="name of the endpoint")
    state: list[NotificationState] = Field([], description="one of these states")
    message_id: list[Text] = Field([], max_length=500, description="one of these messages")
    event: EventType | None = Field(None, description="a type of event, like archive.completed")
    source: Text | None = Field(None, description="the name of a source, or `default`")
    template: Text | None = Field(None, description="the id of a template")
    reference: Text | None = Field(None, description="a full process reference")
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
    values: dict[str, Any] | None = Field(None, description="says `skipped_why` by code")
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
    values: dict[str, Any] | None = Field(None, description="says `error` by code")
    answer: str | None
    next_attempt_at: datetime | None


class MessageRecord(MessageView):
    """A message with its attempts, in their order."""

    history: list[AttemptView]


class MessagePage(Page[MessageView]):
    """A page of messages, newest first. `next` is the cursor of the following page."""


_NAME = re.compile("[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_VALUE = re.compile(r"[!-~](?:[ -~]{0,4000}[!-~])?")
_OURS = re.compile(
    "(?:webhook|svix|proxy|sec)-.*|host|content-(?:length|type|encoding)|transfer-encoding|connection|keep-alive|"
    "trailer|upgrade|expect|user-agent|cookie2?"
)
"""Headers that frame or sign the message, that proxies take for their own, or that cellar sets."""

_MOST_HEADERS = 20


def _checked_headers(headers: dict[str, str]) -> dict[str, str]:
    """Check headers. A message names a header and never repeats its value, which may be a token."""
    if len(headers) > _MOST_HEADERS or len({each.lower() for each in headers}) < len(headers):
        raise ValueError(f"expected at most {_MOST_HEADERS} headers, each once")
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise ValueError("expected a header's name of letters, digits and hyphens")
        if _OURS.fullmatch(name.lower()):
            raise ValueError(f"the header {name} is not for endpoints: cellar or HTTP sets it")
        if not _VALUE.fullmatch(value):
            raise ValueError(f"expected printable ASCII as the value of the header {name}")
    return headers


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("expected lower-case letters and digits, hyphens between them, at most 64 in all")
    if name.startswith(OF_SETTINGS):
        raise ValueError("names that begin with settings- belong to the endpoints of CELLAR_NOTIFY_URLS")
    return name


Slug = Annotated[str, AfterValidator(_checked_name), Field(json_schema_extra={"pattern": f"^{_NAME.pattern}$"})]
Headers = Annotated[
    dict[str, str],
    AfterValidator(_checked_headers),
    Field(
        json_schema_extra={
            "propertyNames": {"pattern": f"^{_TOKEN.pattern}$", "not": {"pattern": f"^({_OURS.pattern})$"}},
            "additionalProperties": {"type": "string", "pattern": f"^{_VALUE.pattern}$"},
            "maxProperties": _MOST_HEADERS,
        }
    ),
]
Member = Annotated[Text, Field(min_length=1, max_length=255)]

_BASE64 = "[A-Za-z0-9+/]"
_SECRETS: list[JsonValue] = [
    {
        "properties": {
            "signature": {"enum": [signature, None]},
            "secret": {"anyOf": [{"type": "string", "pattern": pattern}, {"type": "null"}]},
        }
    }
    for signature, pattern in (
        ("hmac", f"^whsec_({_BASE64}{{4}}){{8,20}}({_BASE64}{{4}}|{_BASE64}{{3}}=|{_BASE64}{{2}}==)?$"),
        ("ed25519", f"^whsk_{_BASE64}{{42}}[AEIMQUYcgkosw048]=$"),
    )
]


class SecretChoice(Client):
    """How an endpoint's messages are signed. Without `secret`, one is generated."""

    model_config = ConfigDict(json_schema_extra={"anyOf": _SECRETS})

    signature: Signature | None = Field(
        None, description="`hmac` (`v1`, the default) or `ed25519` (`v1a`); of `secret`, if that is given"
    )
    secret: Text | None = Field(None, repr=False, max_length=200, description="`whsec_…` or `whsk_…`")


_URL = r"^https?://([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z]{2,24}(:[1-9][0-9]{0,3})?(/[!-~]*)?$"


class NewEndpoint(SecretChoice):
    """An endpoint to add. An empty filter lets everything pass."""

    model_config = ConfigDict(hide_input_in_errors=True)

    url: Text = Field(
        repr=False, max_length=2000, description="`http://…` or `https://…`", json_schema_extra={"pattern": _URL}
    )
    name: Slug = Field(description="lower-case letters, digits and hyphens; it is never used again")
    events: list[EventType] = Field([])
    sources: list[Member] = Field([])
    headers: Headers = Field({}, repr=False, description="headers of each message, for example `Authorization`")


class Rotation(SecretChoice):
    """The next signing key of an endpoint."""

    overlap_h: float = Field(24, ge=0, le=24 * 90, description="hours in which the old key signs too")


class KeyView(BaseModel):
    """A signing key. `public_key` verifies the signatures of an ed25519 key; null for HMAC."""

    signature: Signature
    public_key: str | None
    since: datetime
    until: datetime | None


class EndpointView(BaseModel):
    """An endpoint, without its secrets: tokens in `url` are masked, and `headers` are the names alone."""

    name: str
    url: str
    state: str = Field(description="`active`, `failing`, `paused`, `disabled` or `removed`")
    events: list[str]
    sources: list[str]
    headers: list[str]
    signature: Signature
    keys: list[KeyView]
    pending: int = Field(description="number of messages that wait")
    created_at: datetime
    created_by: str | None
    disabled_at: datetime | None
    disabled_why: str | None
    values: dict[str, Any] | None = Field(None, description="says `disabled_why` by code")
    removed_at: datetime | None
    failing_since: datetime | None
    paused_until: datetime | None
    actions: list[ActionView]


class AddedEndpoint(EndpointView):
    """An endpoint with its new secret, which is shown this once. `warnings` say what was found at its address."""

    secret: str = Field(repr=False)
    warnings: list[str] = []


class EndpointList(BaseModel):
    """Endpoints that are not removed, by name."""

    items: list[EndpointView]


class EndpointTest(BaseModel):
    """What became of a test message. `stage` says where the attempt failed, `answer` is the beginning of the answer."""

    endpoint: str
    message_id: str
    delivered: bool
    stage: str | None
    status_code: int | None
    why: str | None = Field(None, description="why it is not delivered, if no answer came")
    values: dict[str, Any] | None = Field(None, description="says `why` by code")
    duration_s: float | None
    answer: str | None
