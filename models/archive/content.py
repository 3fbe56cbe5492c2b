"""Files: contents as the payload declares them, and as they are stored."""

from dataclasses import dataclass
from enum import StrEnum

from sqlmodel import BigInteger, Field, SQLModel

from models.archive.spelling import Spelling


class Role(StrEnum):
    SIGNED_DOCUMENT = "signed_document"
    ATTACHMENT = "attachment"


@dataclass(frozen=True, slots=True)
class StoredContent:
    """Decoded bytes in the store, named there by their digest. `index` is that of their cut in the scan.

    `looks_like` is the media type that their first bytes show, where they show one. `infection` is what ClamAV found in
    them, where it was asked; what it did not take whole is not scanned.
    """

    index: int
    sha256: str
    size_bytes: int
    looks_like: str | None = None
    infection: str | None = None
    is_scanned: bool = True


@dataclass(frozen=True, slots=True)
class ContentCut:
    """Where a content was cut out, and how it was written there: what rebuilds the request.

    At `skeleton_offset` the skeleton has the content's index in decimal digits: the clear one while a body is scanned,
    the sealed one where it is written down.
    """

    content: StoredContent
    skeleton_offset: int
    spelling: Spelling


@dataclass(frozen=True, slots=True)
class SealedCut:
    """A JSON value that is kept encrypted. At `skeleton_offset` the skeleton has `null` in its place."""

    skeleton_offset: int
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class Content:
    """A file that the payload declares, at `where`. `stored` is None where no bytes came with it."""

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
