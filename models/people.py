"""What concerns people: notices and letters, logins, wrong tokens and last uses, their actions and saved views."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from models.columns import Json, Moment
from models.said import Said

_OPEN = text("closed_at IS NULL")


class NoticeKind(StrEnum):
    """What a notice is about. `docs/people.md` says when people are told of each."""

    ARCHIVES_FAILED = "archives_failed"
    RUNS_FAILED = "runs_failed"
    SYSTEM_AWAY = "system_away"
    STORE_DAMAGED = "store_damaged"
    STORE_UNVERIFIED = "store_unverified"
    DELIVERIES_REFUSED = "deliveries_refused"
    RECEIVER_REFUSING = "receiver_refusing"
    PROCESSES_MISSING = "processes_missing"
    ENDPOINT_FAILING = "endpoint_failing"
    ENDPOINT_DISABLED = "endpoint_disabled"
    MESSAGES_DEAD = "messages_dead"
    CONDITION = "condition"


@dataclass(frozen=True, slots=True)
class Sighting:
    """Something wrong that was found, now.

    `key` tells it from other things of its kind: a cause, a system, a source, an endpoint. `count` is the number of
    archives, deliveries or messages that it concerns, since `since`; `last_at` is the time of the newest of them.
    `level` grows with urgency. `detail` is what is said of it. With a count of 0, the thing is over, and `detail`
    says how it ended.
    """

    kind: NoticeKind
    key: str
    count: int
    since: datetime
    last_at: datetime
    detail: Said | None = None
    level: int = 0


class Notice(SQLModel):
    """An outage from its beginning to its end. No two open notices have the same kind and key.

    `count` is the number now, `most` the greatest number so far. `told_…` is what people were told last: `told_times`
    is the number of times, 0 before the first. `gone_at` is the time since when the thing is no longer found.
    """

    notice_id: str = Field(primary_key=True, max_length=32)
    kind: NoticeKind
    key: str = Field(max_length=255)
    detail: dict[str, Any] | None = Field(default=None, sa_type=Json)
    level: int
    count: int
    most: int
    opened_at: datetime = Field(sa_type=Moment)
    last_at: datetime = Field(sa_type=Moment)
    gone_at: datetime | None = Field(default=None, sa_type=Moment)
    closed_at: datetime | None = Field(default=None, index=True, sa_type=Moment)
    told_times: int = 0
    told_at: datetime | None = Field(default=None, sa_type=Moment)
    told_count: int = 0
    told_level: int = 0
    told_last_at: datetime | None = Field(default=None, sa_type=Moment)


class NoticeRow(Notice, table=True):
    """A `Notice`, however many processes notice the same thing."""

    __tablename__ = "notice"
    __table_args__ = (Index("ix_notice_open", "kind", "key", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),)

    kind: str = Field(max_length=32)  # type: ignore[assignment]


class LetterRow(SQLModel, table=True):
    """A letter. `number` counts the letters of a notice to an address, from 1.

    `address` is masked: a scheme and a digest. The letter is sent next at `next_at`, which is None once it is sent,
    replaced by a newer letter of its notice, or given up.
    `failure` says why the last attempt failed, without a word of the service that refused it.
    """

    __tablename__ = "letter"

    notice_id: str = Field(primary_key=True, max_length=32)
    number: int = Field(primary_key=True)
    address: str = Field(primary_key=True, max_length=64)
    title: str
    text: str
    planned_at: datetime = Field(sa_type=Moment)
    attempts: int = 0
    next_at: datetime | None = Field(default=None, index=True, sa_type=Moment)
    sent_at: datetime | None = Field(default=None, index=True, sa_type=Moment)
    failed_at: datetime | None = Field(default=None, index=True, sa_type=Moment)
    failure: str | None = None


class ActionKind(StrEnum):
    """What a person did. `rerun`: ran the archive again. `export`: took a copy of it that proves itself.
    `release`: released a refused body that names it. `whole`: a check found it whole again. A code of a condition is
    what a check found; both are of cellar.
    """

    RERUN = "rerun"
    EXPORT = "export"
    RELEASE = "release"
    WHOLE = "whole"


class ActionRow(SQLModel, table=True):
    """An action of a person on an archive."""

    __tablename__ = "action"

    action_id: str = Field(primary_key=True, max_length=32)
    reference: str = Field(index=True, max_length=255)
    kind: str = Field(max_length=16)
    by: str
    at: datetime = Field(index=True, sa_type=Moment)


class Login(SQLModel):
    """A person who is signed in, until `ends_at`: name, role and scope as they were then.

    `seen_at` is the time of a page of the last minute. A login by break-glass stays for a day after its end.
    """

    person: str = Field(index=True, max_length=255)
    role: str = Field(max_length=16)
    scope: str | None = None
    signed_in_by: str = Field(max_length=16)
    address: str = Field(max_length=64)
    began_at: datetime = Field(sa_type=Moment)
    seen_at: datetime = Field(sa_type=Moment)
    ends_at: datetime = Field(index=True, sa_type=Moment)


class LoginRow(Login, table=True):
    """A login of a browser.

    `session` is the digest of the id in the person's cookie, so a copy of the database signs nobody in. `token` is a
    keyed digest of the token that was presented: the login ends with the token.
    """

    __tablename__ = "login"

    session: str = Field(primary_key=True, max_length=64)
    token: str | None = Field(default=None, max_length=64)


class Logins(BaseModel):
    """The logins that have not ended, the newest first."""

    items: list[Login]


class WrongTokensRow(SQLModel, table=True):
    """The wrong tokens that all receivers got from one network in one span of time, until `ends_at`.

    `key` names the network and the span, as the library `limits` does.
    """

    __tablename__ = "wrong_tokens"

    key: str = Field(primary_key=True, max_length=100)
    number: int
    ends_at: datetime = Field(index=True, sa_type=Moment)


class LastUseRow(SQLModel, table=True):
    """How often something that lets its holder in was used, and when last. `name` is no secret: `kind` says what it is.

    The receivers write it every few seconds, so the last seconds before a crash may be missing.
    """

    __tablename__ = "last_use"

    kind: str = Field(primary_key=True, max_length=16)
    name: str = Field(primary_key=True, max_length=255)
    at: datetime = Field(sa_type=Moment)
    times: int


LONGEST_NAME = 60
_SHOWN = text("ended_at IS NULL")


class SavedViewRow(SQLModel, table=True):
    """A search of archives with its columns. It is shown until somebody removes or replaces it.

    `query` is that of the list's address. No two views that are shown have the same name.
    """

    __tablename__ = "saved_view"
    __table_args__ = (Index("ix_saved_view_shown", "name", unique=True, sqlite_where=_SHOWN, postgresql_where=_SHOWN),)

    view_id: str = Field(primary_key=True, max_length=32)
    name: str = Field(max_length=LONGEST_NAME)
    query: str
    saved_by: str
    saved_at: datetime = Field(sa_type=Moment)
    ended_by: str | None = None
    ended_at: datetime | None = Field(default=None, sa_type=Moment)


class AddressTest(BaseModel):
    """A test of one address. The address is masked, since it holds secrets."""

    address: str = Field(description="Scheme and digest of the address, such as `slack:3f2a9c1b`.")
    is_taken: bool = Field(description="Whether the service has taken the test.")
    why: str = Field(default="", description="Why it has not.")


class PeopleTest(BaseModel):
    is_well: bool = Field(description="Whether there are addresses, and all have taken the test.")
    addresses: list[AddressTest] = Field(description="The addresses of `CELLAR_PEOPLE_URLS`.")
