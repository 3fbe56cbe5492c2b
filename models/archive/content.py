"""Files: contents as the payload declares them, how their base64 was written, and as the store keeps them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlmodel import BigInteger, Field, SQLModel

from models.columns import Json, Moment


@dataclass(frozen=True, slots=True)
class Spelling:
    """A spelling as it was between the quotes, escapes included. The default is RFC 4648 without anything around it."""

    prefix: str = ""
    """A data URI up to its comma."""
    plus: str = "+"
    slash: str = "/"
    pad: str = "="
    """Empty if the padding was left out."""
    line: int = 0
    """Base64 characters in a line, or 0 for a single line."""
    line_break: str = ""
    ends_with_break: bool = False


class Role(StrEnum):
    SIGNED_DOCUMENT = "signed_document"
    ATTACHMENT = "attachment"


@dataclass(frozen=True, slots=True)
class StoredContent:
    """The decoded bytes of a content, named by digest in the store. `index` is the index of its cut in the scan.

    `looks_like` is the media type that the first bytes show, or None. `infection` is what ClamAV found, if asked. A
    file that ClamAV did not accept whole is not scanned.
    """

    index: int
    sha256: str
    size_bytes: int
    looks_like: str | None = None
    infection: str | None = None
    is_scanned: bool = True


@dataclass(frozen=True, slots=True)
class ContentCut:
    """The place and the spelling of a content that was cut out, from which the request is rebuilt.

    At `skeleton_offset` the skeleton has the content's index in decimal digits. The offset refers to the clear skeleton
    during a scan, and to the sealed skeleton in `cuts.json`.
    """

    content: StoredContent
    skeleton_offset: int
    spelling: Spelling


@dataclass(frozen=True, slots=True)
class SealedCut:
    """A JSON value that is kept encrypted. At `skeleton_offset` the skeleton has `null` in its place. `blinded` is its
    digest by the archive's key.
    """

    skeleton_offset: int
    ciphertext: bytes
    blinded: str


@dataclass(frozen=True, slots=True)
class Content:
    """A file that the payload declares at `where`. `stored` is None if it arrived without content."""

    where: str
    role: Role
    element_id: str | None
    filename: str | None
    media_type: str | None
    stored: StoredContent | None


class FileRow(SQLModel, table=True):
    __tablename__ = "file"

    reference: str = Field(primary_key=True, max_length=255)
    position: int = Field(primary_key=True)
    role: str = Field(max_length=16)
    element_id: str | None = None
    filename: str | None = None
    media_type: str | None = None
    size_bytes: int = Field(sa_type=BigInteger)
    sha256: str = Field(max_length=64, index=True)
    looks_like: str | None = None
    infection: str | None = None


class SignedDocumentRow(SQLModel, table=True):
    """One row for each archive with a signed document.

    `verdict` is the JSON of the verdict at arrival. `judgements` is the JSON of the later judgements, oldest first.
    `outcome` and `roots` are those of the last judgement, or of the arrival: the outcome, and the digest of the trust
    roots, None where it was not recorded. `judged_at` is the time of the last judgement, None at the arrival.
    """

    __tablename__ = "signed_document"

    reference: str = Field(primary_key=True, max_length=255)
    position: int = Field(primary_key=True)
    outcome: str = Field(max_length=16, index=True)
    verdict: dict[str, Any] = Field(sa_type=Json)
    roots: str | None = Field(default=None, max_length=64)
    judged_at: datetime | None = Field(default=None, sa_type=Moment, index=True)
    judgements: list[dict[str, Any]] = Field(
        default_factory=list, sa_type=Json, sa_column_kwargs={"server_default": "[]"}
    )
