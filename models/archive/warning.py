"""Warnings: remarks on the content of a payload that a person should examine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Field, SQLModel

from models.columns import Json
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
    )
    TEXT_REPLACED = finding("Characters that databases refuse were replaced. The original is kept.", _NOTHING)
    TIMESTAMP_UNREADABLE = finding("A time could not be read.", _IN_CELLOSIGN)
    VERSION_FROM_FUTURE = finding(
        "A version says that it was made more than a day after it arrived.",
        "Check the clock of the sender. A version that arrives later replaces it.",
    )
    WRONG_TYPE = finding(
        "A value has another type than documented.",
        _IN_CELLOSIGN,
        "expected %(expected)s, got %(found)s; kept as null",
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
