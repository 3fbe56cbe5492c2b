"""The archive that Cellosign sends when a process ends: fields, signatures, warnings, and how versions differ."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index
from sqlmodel import BigInteger, Field, SQLModel

from models.archive.content import Content
from models.archive.session import Session
from models.archive.verdict import Judgement, Verdict
from models.columns import AnyJson, Json, Moment, index_where, text_index
from models.payments import Payment
from models.runs.receipt import DEFAULT_SOURCE, CauseColumns
from models.said import FindingCode, finding

_BEFORE_RELYING = "See the part Signed document before you rely on the document."
_IN_CELLOSIGN = "If the value matters, look it up in Cellosign."
_NOTHING = "There is nothing to do."


class WarningCode(FindingCode):
    ATTACHMENT_EMPTY = finding("An attached file is empty.", "If the file matters, ask the signer for it.")
    DUPLICATE_KEY = finding(
        "A member of the payload occurs twice. The last value counts, and no file is lost.", _NOTHING
    )
    FILE_INFECTED = finding(
        "ClamAV found malware in a file.",
        "Do not open the file. Ask the person who attached it for another.",
        "ClamAV found %(name)s",
    )
    FILE_NOT_SCANNED = finding(
        "A file was too large for ClamAV and was not scanned.", "Scan the file before you open it."
    )
    INTEGRATION_FAILED = finding(
        "An integration of Cellosign failed.",
        "See the integrations of the session, and repeat in Cellosign what has failed.",
    )
    MEDIA_TYPE_MISMATCH = finding(
        "A file is not what its declared type says.",
        "Be careful before you open the file.",
        "the file looks like %(type)s, which is not its declared type",
    )
    MORE_WARNINGS = finding(
        "The payload gives cause for more warnings of one kind than are kept.",
        "The kept warnings are the first of their kind. For the others, see the request as it was sent.",
        "%(count)s more warnings of the code %(code)s",
    )
    OTP_NOT_SENT = finding("A one-time password was not sent.", "Check how the signer was identified.")
    SECRETS_LOCKED = finding(
        "The archive was loaded without its key.",
        "Bring the key back: in CELLAR_SEAL_KEYS, or in the folder keys of the store. Then run the archive again.",
    )
    SESSION_NOT_SUBMITTED = finding(
        "A session was not submitted.", "Check whether the process was meant to end without this session."
    )
    SESSION_REFERENCE_MISMATCH = finding(
        "A session names another process.", "Check in Cellosign to which process the session belongs."
    )
    SIGNED_DOCUMENT_BROKEN = finding(
        "A digital signature of the document is broken.", "Do not rely on the document: let it be signed again."
    )
    SIGNED_DOCUMENT_CHANGED = finding("The document was changed after it was signed.", _BEFORE_RELYING)
    SIGNED_DOCUMENT_FIELDS_CHANGED = finding(
        "Form fields of the document were changed after it was signed.",
        _BEFORE_RELYING,
        "form fields filled again after a signature: %(fields)s; signers who did not see that: %(signers)s",
    )
    SIGNED_DOCUMENT_NOT_TRUSTED = finding(
        "A signature of the document is not trusted.",
        "See the part Signed document. If the issuer of the certificate is to be trusted, add it to "
        "CELLAR_TRUST_ROOTS.",
        "a signature is not trusted: %(why)s",
    )
    SIGNED_DOCUMENT_REVOKED = finding("A certificate of a signature was revoked.", _BEFORE_RELYING)
    SIGNED_DOCUMENT_TOO_OLD = finding(
        "The document's last digital signature is older than the last signature in the payload.",
        "Check that this is the final document: it may lack a signature.",
    )
    SIGNED_DOCUMENT_UNREADABLE = finding("The signatures of the document cannot be judged.", _BEFORE_RELYING)
    SIGNED_DOCUMENT_UNSIGNED = finding(
        "The signed document has no digital signature.",
        "Ask Cellosign why the document was not signed digitally.",
        "the document has no digital signature, but the payload names signatures: %(count)s",
    )
    SIGNED_DOCUMENT_WEAK_DIGEST = finding("A signature uses a weak algorithm.", "Do not rely on this signature alone.")
    SIGNER_UNKNOWN = finding("A signer is not the recipient of any session.", "Check in Cellosign who has signed.")
    SOURCES_DIFFER = finding(
        "Another source than that of the process has sent it. What it sent is set aside.",
        "If it is right, accept it, else dismiss it: on the page Refused, or with `cellar quarantine`.",
        "the process is of the source %(owner)s, and the source %(other)s has sent it too",
    )
    TEXT_REPLACED = finding("Characters that databases refuse were replaced. The original is kept.", _NOTHING)
    TIMESTAMP_UNREADABLE = finding("A time could not be read.", _IN_CELLOSIGN)
    VERSION_AHEAD = finding(
        "A version arrived later than the current version and lost to it, by a time that then lay ahead.",
        "Compare the two versions, and check the clock of the sender. To make the later arrival the current version, "
        "have it sent again once the time of the other version is past.",
        "version %(version)s says %(event_at)s, and version %(later)s, which arrived after it, says %(later_at)s",
    )
    VERSION_FROM_FUTURE = finding(
        "A version says that it was made more than a day after it arrived.",
        "Check the clock of the sender. A version that arrives later replaces it.",
    )
    VERSION_REPEATS = finding(
        "The content is that of an earlier version, which another had replaced. Only its time is newer.",
        "Compare the versions, and ask the sender whether the earlier content is to count again.",
        "version %(version)s says what version %(earlier)s said, which another had replaced; only its time is newer",
    )
    WRONG_TYPE = finding(
        "A value has another type than documented.", _IN_CELLOSIGN, "expected %(expected)s, got %(found)s; kept as null"
    )


@dataclass(frozen=True, slots=True)
class ArchiveWarning:
    """A warning. `where` is a JSON path into the payload. `values` are JSON and repeat no value of the payload."""

    code: WarningCode
    where: str
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)


class WarningRow(SQLModel, table=True):
    __tablename__ = "warning"

    reference: str = Field(primary_key=True, max_length=255)
    position: int = Field(primary_key=True)
    code: str = Field(max_length=64, index=True)
    where: str
    values: dict[str, Any] = Field(sa_type=Json)


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of the form.

    `top`, `left`, `width` and `height` are positions on the page as Cellosign sends them, without a documented unit.
    `latitude` and `longitude` come from the value of a `location` field, in degrees. Card numbers in `value` and `meta`
    are masked. `unmasked` holds the originals of masked members for comparing; it is never shown or stored.
    """

    id: str | None
    type: str | None
    value: Any
    visible: bool | None
    page: int | None
    top: float | None
    left: float | None
    width: float | None
    height: float | None
    meta: dict[str, Any]
    latitude: float | None
    longitude: float | None
    unmasked: Mapping[str, Any] = field(default_factory=dict, repr=False)


class FormFieldRow(SQLModel, table=True):
    __tablename__ = "form_field"

    reference: str = Field(primary_key=True, max_length=255)
    position: int = Field(primary_key=True)
    id: str | None = None
    type: str | None = None
    value: Any = Field(default=None, sa_type=AnyJson)
    visible: bool | None = None
    page: int | None = Field(default=None, sa_type=BigInteger)
    top: float | None = None
    left: float | None = None
    width: float | None = None
    height: float | None = None
    meta: dict[str, Any] = Field(sa_type=Json)
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature of the payload. `where` is its place in the payload."""

    where: str
    id: str | None
    signed_at: datetime | None
    signer_id: str | None
    signer_name: str | None
    labels: dict[str, Any]


class SignatureRow(SQLModel, table=True):
    __tablename__ = "signature"

    reference: str = Field(primary_key=True, max_length=255)
    position: int = Field(primary_key=True)
    id: str | None = None
    signed_at: datetime | None = Field(default=None, sa_type=Moment)
    signer_id: str | None = None
    signer_name: str | None = None
    labels: dict[str, Any] = Field(sa_type=Json)


class State(StrEnum):
    """The state of a receipt. An archive has the state of its newest receipt."""

    RECEIVED = "received"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive read from its skeleton. Tuples follow the payload's order."""

    reference: str
    event_at: datetime | None
    process_number: int | None
    template_id: str | None
    sessions: tuple[Session, ...]
    signatures: tuple[Signature, ...]
    fields: tuple[FormField, ...]
    contents: tuple[Content, ...]
    payments: tuple[Payment, ...]
    warnings: tuple[ArchiveWarning, ...]
    signed_document_verdict: Verdict | None = None
    """The verdict at arrival. None where there is no signed document."""
    arrival_roots: str | None = None
    """The digest of the trust roots of that verdict. None where it was not recorded."""
    judgements: tuple[Judgement, ...] = ()
    """The later judgements, oldest first."""

    @property
    def newest_verdict(self) -> Verdict | None:
        return self.judgements[-1].verdict if self.judgements else self.signed_document_verdict

    @property
    def newest_roots(self) -> str | None:
        return self.judgements[-1].roots if self.judgements else self.arrival_roots

    @property
    def is_locked(self) -> bool:
        """Whether the archive's sealed values read as null because its key is missing or damaged."""
        return any(warning.code is WarningCode.SECRETS_LOCKED for warning in self.warnings)


class ArchiveRow(CauseColumns, table=True):
    """One row per process reference. State and cause are those of its newest receipt.

    Process number and template are those of the first delivery until a version is current. `source` is that of the
    first delivery until a version is archived, then that of the first version. `read_on` are the terms on which the
    current version was read, where they are no defaults: settings by name.
    `due_action` is what is due of the archive from `due_at` on, unless it is held; None: its retention has no end.
    `digest` is the keyed digest of the reference, by which the access log names it. Workers fill in what lacks.
    """

    __tablename__ = "archive"
    __table_args__ = (
        text_index("archive", "template_id"),
        Index("ix_archive_cause_code", "cause_code"),
        index_where("ix_archive_due", "due_at IS NOT NULL", "due_at"),
        index_where("ix_archive_failed", "state = 'failed'", "cause_code", "cause_task", "cause_since", "received_at"),
    )

    reference: str = Field(primary_key=True, max_length=255)
    state: str = Field(max_length=16, index=True)
    received_at: datetime = Field(sa_type=Moment, index=True)
    completed_at: datetime | None = Field(default=None, sa_type=Moment)
    template_id: str | None = None
    process_number: int | None = Field(default=None, sa_type=BigInteger, index=True)
    current_receipt_id: str | None = Field(default=None, max_length=64)
    source: str = Field(default=DEFAULT_SOURCE, index=True, max_length=64)
    read_on: dict[str, Any] | None = Field(default=None, sa_type=Json)
    digest: str | None = Field(default=None, index=True, max_length=64)
    due_action: str | None = Field(default=None, max_length=16)
    due_at: datetime | None = Field(default=None, sa_type=Moment)


class DifferenceKind(StrEnum):
    FIELD = "field"
    FILE = "file"
    PAYMENT = "payment"
    SIGNATURE = "signature"
    SESSION = "session"


class Change(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Values:
    """The JSON values of a member in two versions. None means that a version has no value."""

    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Difference:
    """A thing that differs between two versions.

    `key` is the thing's id as sent, or its kind with its number among things without an id (`attachment[0]`). `members`
    are the members that differ, as the API shows them. `withheld` names members that differ and are not shown.
    """

    kind: DifferenceKind
    key: str
    change: Change
    members: dict[str, Values]
    withheld: tuple[str, ...]
