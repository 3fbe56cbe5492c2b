"""Endpoints: the URLs of downstream systems that receive messages, and what each of them wants to hear."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel
from sqlmodel import Field, SQLModel

from models.columns import Json, Moment


class Signature(StrEnum):
    """How messages are signed. Source: Standard Webhooks, "Signature scheme": `v1` is HMAC-SHA256, `v1a` ed25519."""

    HMAC = "hmac"
    ED25519 = "ed25519"


class EndpointKey(BaseModel):
    """A signing key of an endpoint, sealed. It signs beside newer keys until `until`. HMAC has no public key."""

    signature: Signature
    sealed: str
    public_key: str | None
    since: datetime
    until: datetime | None = None

    def signs_at(self, now: datetime) -> bool:
        return self.until is None or now < self.until


class EndpointRow(SQLModel, table=True):
    """An endpoint. `is_declared`: by `CELLAR_NOTIFY_URLS`; its name follows from its URL.

    An event passes its filter if its type, source and template are each among `events`, `sources` and `templates`, of
    which an empty list lets everything pass, and if it has each of the `labels`.

    `keys` are the `EndpointKey`s, newest first; a declared endpoint has none, since `CELLAR_NOTIFY_SECRET` signs.
    `headers` is a JSON object of its own headers, whose values are sealed. `fields` are the personal values that it
    asks for. `actions` are what people did, each with `at`, `by` and `what`. The name of a removed endpoint stays
    taken, since its messages stay under it. `failing_since` is the first attempt without confirmation since the last
    confirmation, `failing_messages` the number of messages that have failed since; until `paused_until` no attempt is
    made. `pace_per_s`: at most so many messages a second, since an answer asked for a lower pace. `free_at`: when the
    next message may be sent at the pace, or at the rate. `values` says `disabled_why` by code.
    """

    __tablename__ = "endpoint"

    name: str = Field(primary_key=True, max_length=64)
    url: str
    is_declared: bool = False
    signature: str = Field(default=Signature.HMAC, max_length=16)
    keys: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)
    headers: str | None = None
    events: list[str] = Field(default_factory=list, sa_type=Json)
    sources: list[str] = Field(default_factory=list, sa_type=Json)
    templates: list[str] = Field(default_factory=list, sa_type=Json)
    labels: dict[str, str] = Field(default_factory=dict, sa_type=Json)
    fields: list[str] = Field(default_factory=list, sa_type=Json)
    rate_per_s: float | None = None
    created_at: datetime = Field(sa_type=Moment)
    created_by: str | None = None
    actions: list[dict[str, str]] = Field(default_factory=list, sa_type=Json)
    disabled_at: datetime | None = Field(default=None, sa_type=Moment)
    disabled_why: str | None = None
    values: dict[str, Any] | None = Field(default=None, sa_type=Json)
    removed_at: datetime | None = Field(default=None, sa_type=Moment)
    failing_since: datetime | None = Field(default=None, sa_type=Moment)
    failing_messages: int = 0
    paused_until: datetime | None = Field(default=None, sa_type=Moment)
    pace_per_s: float | None = None
    free_at: datetime | None = Field(default=None, sa_type=Moment)

    @property
    def signing_keys(self) -> list[EndpointKey]:
        return [EndpointKey.model_validate(each) for each in self.keys]

    @property
    def identity(self) -> str:
        """By what the ids of its messages tell this endpoint from others. It never changes."""
        return self.url if self.is_declared else self.name
