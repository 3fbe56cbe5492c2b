"""Who uses cellar, in which role, and what they do with it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints
from sqlalchemy import BigInteger, Index
from sqlmodel import Field, SQLModel

from models.columns import Json, Moment, index_where


class Role(StrEnum):
    """What a person or a token is there for. `domain/access.py` says what each may do.

    `owner` has all rights: whoever has the shell of the installation, or a token of its settings.
    """

    VIEWER = "viewer"
    CLERK = "clerk"
    OPERATOR = "operator"
    DATA = "data"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"
    OWNER = "owner"


GIVEN_ROLES = [each for each in Role if each is not Role.OWNER]
"""The roles that a person gives to others."""


class Action(StrEnum):
    """What is done. Each route, command and flow names one; the access log keeps it for years, so none is removed."""

    LIST_ARCHIVES = "list_archives"
    READ_ARCHIVE = "read_archive"
    UNMASK = "unmask"
    DOWNLOAD_FILE = "download_file"
    EXPORT_ARCHIVE = "export_archive"
    EXPORT_TABLE = "export_table"
    READ_TROUBLES = "read_troubles"
    FIND_PERSON = "find_person"
    RERUN = "rerun"
    ERASE = "erase"
    HOLD = "hold"
    DECIDE = "decide"
    RELEASE = "release"
    REDELIVER = "redeliver"
    SAVE_VIEW = "save_view"
    READ_TEMPLATES = "read_templates"
    CHANGE_TEMPLATES = "change_templates"
    READ_SETTINGS = "read_settings"
    CHANGE_SETTINGS = "change_settings"
    READ_PEOPLE = "read_people"
    CHANGE_PEOPLE = "change_people"
    READ_LINKS = "read_links"
    REVOKE_LINK = "revoke_link"
    READ_ACCESS = "read_access"
    READ_METRICS = "read_metrics"
    READ_PREFECT = "read_prefect"
    ACT_IN_PREFECT = "act_in_prefect"
    ENTER = "enter"


@dataclass(frozen=True, slots=True)
class Caller:
    """A person who is signed in, a token, a flow, or the user of a shell.

    `name` is that of the login, never a typed one. `scope` is the facet that an archive must have for a clerk to see
    it, such as `source=haifa` or `label:branch=Haifa`; None: all archives. `address` is the client's; empty in a shell.
    """

    name: str
    role: Role
    scope: str | None = None
    address: str = ""

    @property
    def is_masked(self) -> bool:
        """Whether personal values are masked for this caller, and no personal value is searched for it: viewers, data
        teams outside of tables, and administrators, who see no archives.
        """
        return self.role in (Role.VIEWER, Role.DATA, Role.ADMINISTRATOR)

    @property
    def is_scoped(self) -> bool:
        """Whether the caller sees the archives of one facet, and nothing that follows from any other archive."""
        return self.scope is not None or self.role is Role.CLERK


class SignedInBy(StrEnum):
    """How a person signed in: by a password, by the provider of `CELLAR_OIDC_ISSUER`, by a password although there is a
    provider, or by a token.
    """

    PASSWORD = "password"  # noqa: S105 -- no password
    PROVIDER = "provider"
    BREAK_GLASS = "break_glass"
    TOKEN = "token"  # noqa: S105 -- no token


UserName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,38}[a-z0-9])?$")]
"""A short name without `@`, which the names of a provider's people have."""


class Admitted(BaseModel):
    """What the store keeps of whom it lets in: of a user or a token."""

    model_config = ConfigDict(frozen=True)

    name: str
    role: Role
    scope: str | None = None
    created_at: AwareDatetime
    created_by: str


class UserFacts(Admitted):
    """What is known of a person with a password, beside what is secret."""

    name: UserName
    is_break_glass: bool = False
    disabled_at: AwareDatetime | None = None
    disabled_by: str | None = None


class User(UserFacts):
    """A user as the store keeps them.

    `link` is the SHA-256 of the secret in the link that sets the password once, until `link_until`. `code` is the
    sealed secret of the one-time codes; `code_step` counts the steps of 30 s up to the last code that was used.
    """

    password: str | None = None
    link: str | None = None
    link_until: AwareDatetime | None = None
    code: str | None = None
    code_step: int = 0


class Identity(BaseModel):
    """A person whom a provider knows by `issuer` and `subject`, and records by `name`."""

    model_config = ConfigDict(frozen=True)

    issuer: str
    subject: str
    name: str

    @property
    def key(self) -> str:
        return sha256(f"{self.issuer}\n{self.subject}".encode(errors="backslashreplace")).hexdigest()


class UserView(UserFacts):
    """A user in a list. `link` is that which sets the password, where it was made just now."""

    has_password: bool
    has_code: bool
    link: str | None = None


class Users(BaseModel):
    """All users, by name."""

    items: list[UserView]


CELLAR = Caller("cellar", Role.OWNER)
"""Cellar itself, where no person asks: the steps of its flows."""
OF_SETTINGS = "CELLAR_API_TOKENS"
"""The name of a caller with a token of the settings."""
RESERVED_NAMES = {CELLAR.name, OF_SETTINGS}
"""What no user and no token is called, since records name nobody else so."""

TokenName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$")]


class TokenFacts(Admitted):
    """What is known of a token of a machine, beside the token itself."""

    name: TokenName
    expires_at: AwareDatetime | None = None
    revoked_at: AwareDatetime | None = None
    revoked_by: str | None = None

    def is_open(self, now: datetime) -> bool:
        """Return whether the token still lets its machine in."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class Token(TokenFacts):
    """A token as the store keeps it: its digest opens nothing."""

    sha256: str


class TokenView(TokenFacts):
    """A token in a list, with its last use."""

    last_used_at: AwareDatetime | None = None


class Tokens(BaseModel):
    """All tokens, those that are not revoked first."""

    items: list[TokenView]


class NewToken(BaseModel):
    """A new token, which is shown once."""

    name: str
    token: str


class RevokedLink(BaseModel):
    """A public link that opens nothing any more: that of a receipt."""

    receipt_id: str
    revoked_at: AwareDatetime
    revoked_by: str
    why: str


Outcome = Literal["allowed", "denied"]


class AccessRow(SQLModel, table=True):
    """What somebody did or was denied. Rows are added, and leave after years; no row is ever changed.

    The rows that a process adds are a chain: `number` counts them from 1, and `digest` covers the row and the digest
    of the row before. `person` and `role` are those of the caller. `reference` is the keyed digest of that of the
    archive, if it is about one.
    """

    __tablename__ = "access"
    __table_args__ = (
        Index("ix_access_at", "at"),
        Index("ix_access_person", "person", "at"),
        Index("ix_access_action", "action", "at"),
        index_where("ix_access_reference", "reference IS NOT NULL", "reference", "at"),
    )

    chain: str = Field(primary_key=True, max_length=16)
    number: int = Field(primary_key=True, sa_type=BigInteger)
    at: datetime = Field(sa_type=Moment)
    person: str = Field(max_length=255)
    role: str = Field(max_length=16)
    action: str = Field(max_length=32)
    reference: str | None = Field(default=None, max_length=255)
    outcome: str = Field(max_length=16)
    address: str = Field(max_length=64)
    detail: dict[str, Any] = Field(sa_type=Json)
    digest: str = Field(max_length=64)


class UnsentAccessRow(SQLModel, table=True):
    """A row of the access log that `CELLAR_ACCESS_LOG_URL` has not taken yet."""

    __tablename__ = "unsent_access"

    chain: str = Field(primary_key=True, max_length=16)
    number: int = Field(primary_key=True, sa_type=BigInteger)
    at: datetime = Field(sa_type=Moment)
