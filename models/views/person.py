"""What is kept of a person: where the person's mail address, phone or identity number stands, archive by archive."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field, SecretStr

from models.views.archives.archives import ArchiveSummary
from models.views.parameters import RequestBody, Text

MOST_VALUES = 20


class Stands(StrEnum):
    """What of an archive, or of what is kept beside archives, a value is in."""

    FIELD = "field"
    RECIPIENT = "recipient"
    INVITATION = "invitation"
    SIGNER = "signer"
    SESSION = "session"
    LABEL = "label"
    PAYMENT = "payment"
    FILE = "file"
    ELSEWHERE = "elsewhere"


class PersonPlace(BaseModel):
    """A place where a person is named. `name`: the id of a form field, the key of a label, else the name of the member.

    `where` is the JSON path in the request, `value` what stands there, `version` the version of the archive.
    """

    stands: Stands
    name: str
    where: str
    value: str
    version: int | None = None


class PersonFile(BaseModel):
    """A file of an archive that names a person."""

    role: str
    filename: str | None
    sha256: str


class PersonArchive(BaseModel):
    """An archive that names a person. `receipt_id` and `version` are those of the newest version that does."""

    archive: ArchiveSummary
    receipt_id: str
    version: int
    places: list[PersonPlace]
    files: list[PersonFile]


class BesideKind(StrEnum):
    """What names a person and is no archive: a session event whose archive has not come, or a refused delivery."""

    EVENT = "event"
    REFUSED = "refused"


class PersonBeside(BaseModel):
    """Something beside archives that names a person. `is_missing`: its process should have been archived."""

    kind: BesideKind
    receipt_id: str
    reference: str | None
    process_number: int | None
    received_at: datetime
    is_missing: bool
    places: list[PersonPlace]


class PersonPage(BaseModel):
    """A page of the archives that name a person, newest first. `next` is the cursor of the following page.

    `beside` is on the first page alone. `not_indexed`: archives that the search may still miss.
    """

    items: list[PersonArchive]
    beside: list[PersonBeside]
    next: str | None
    not_indexed: int


class PersonQuery(RequestBody):
    """Values of one person, which are in no address and no log: mail addresses, phone numbers, identity numbers."""

    values: list[Annotated[SecretStr, Field(max_length=300)]] = Field(min_length=1, max_length=MOST_VALUES)
    cursor: Text | None = None
