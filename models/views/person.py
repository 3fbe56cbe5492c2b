"""What is kept of a person: where the person's mail address, phone or identity number stands, archive by archive."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel

from models.views.archives.archives import ArchiveSummary
from models.views.parameters import Page


class Stands(StrEnum):
    """What of a request a value is in."""

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

    `where` is the JSON path in the request, `value` what stands there, `version` that of the archive.
    """

    stands: Stands
    name: str
    where: str
    value: str
    version: int | None = None


class NamedIn(StrEnum):
    """What names a person: an archive, a session event whose archive has not come, a body that waits or has failed and
    is no archive yet, or a refused delivery.
    """

    ARCHIVE = "archive"
    EVENT = "event"
    WAITING = "waiting"
    REFUSED = "refused"


class PersonFound(BaseModel):
    """Something that names a person. `archive` is null beside archives. `receipt_id`: the newest body that does so.

    In a package, `folder` has what is kept, with `files` below it.
    """

    named_in: NamedIn
    reference: str | None
    process_number: int | None = None
    received_at: datetime
    receipt_id: str
    places: list[PersonPlace]
    archive: ArchiveSummary | None = None
    folder: str | None = None
    files: list[str] = []
    is_damaged: bool = False


class PersonPage(Page[PersonFound]):
    """A page of the archives that name a person, newest first; on the first page before them what names the person
    beside archives. `not_indexed`: archives that the search may still miss.
    """

    not_indexed: int


class PersonPackage(PersonPage):
    """All that names the person with these values, as it was handed out by `holder`, or an empty text."""

    values: list[str]
    holder: str
    made_at: datetime
