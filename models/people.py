"""What concerns people: letters, logins, wrong tokens and last uses, their actions and saved views."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from models.columns import Json, Moment

_OPEN = text("closed_at IS NULL")


class Trouble(BaseModel):
    """What people are told of, in a line: how much of it there is, until when it came, and how urgent it is."""

    text: str
    count: int
    urgency: int
    last_at: datetime | None


class AddressRow(SQLModel, table=True):
    """What an address of people was `told` in the letter that it took last, by names of `Trouble`.

    `address` is masked: a scheme and a digest. It gets no letter before `next_at`: one is on its way, or was not taken.
    `failure` says why, without a word of the service that refused it, and `failing_since` since when.
    """

    __tablename__ = "people_address"

    address: str = Field(primary_key=True, max_length=64)
    told: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    told_at: datetime | None = Field(default=None, sa_type=Moment)
    next_at: datetime = Field(sa_type=Moment)
    failure: str | None = None
    failing_since: datetime | None = Field(default=None, sa_type=Moment)


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


class LoginRow(SQLModel, table=True):
    """A login of a browser, until `ends_at`: name, role and scope of a person as they were when it began.

    `session` is the digest of the id in the person's cookie, so a copy of the database signs nobody in. `token` is a
    keyed digest of the token that was presented: the login ends with the token. `seen_at` is the time of a page of the
    last minute. A login by break-glass stays for a day after its end.
    """

    __tablename__ = "login"

    session: str = Field(primary_key=True, max_length=64)
    person: str = Field(index=True, max_length=255)
    role: str = Field(max_length=16)
    scope: str | None = None
    signed_in_by: str = Field(max_length=16)
    address: str = Field(max_length=64)
    began_at: datetime = Field(sa_type=Moment)
    seen_at: datetime = Field(sa_type=Moment)
    ends_at: datetime = Field(index=True, sa_type=Moment)
    token: str | None = Field(default=None, max_length=64)


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
    """A search of archives with its columns. It is shown until somebody removes it.

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

    address: str
    is_taken: bool
    why: str = ""


class PeopleTest(BaseModel):
    is_well: bool
    addresses: list[AddressTest]
