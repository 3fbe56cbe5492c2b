"""Verdicts on signed documents: at their arrival, and judged again later."""

import dataclasses
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """The state of a document since it was signed.

    `sound`: every signature is intact and valid, and permits all later changes. `fields_changed`: likewise, but a form
    field that was filled when somebody signed was filled again later, which the signature permits and its signer did
    not see. `changed`: no signature is known to be broken, but the document was changed after one. `broken`: a
    signature does not match the bytes that it covers, its time stamp is of something else, or either is damaged.
    `unsigned` is an observation, not an accusation. `unreadable`: the signatures cannot be judged.
    """

    SOUND = "sound"
    FIELDS_CHANGED = "fields_changed"
    COVERED = "covered"
    CHANGED = "changed"
    BROKEN = "broken"
    UNSIGNED = "unsigned"
    UNREADABLE = "unreadable"


class Coverage(StrEnum):
    """The bytes of the file that a signature covers.

    `file`: all bytes. `revision`: the whole document as it was signed; updates follow. `part`: from the first byte on,
    but not the whole document as it was signed. `unclear`: something else, which honest signers do not make.
    """

    FILE = "file"
    REVISION = "revision"
    PART = "part"
    UNCLEAR = "unclear"


class LaterChange(StrEnum):
    """The most serious change to the document after a signature.

    `archival`: validation data (DSS), document time stamps, empty signature fields. `form_filling`: also values of form
    fields and further signatures. `other`: any other change, including bytes that belong to no update.
    """

    NONE = "none"
    ARCHIVAL = "archival"
    FORM_FILLING = "form_filling"
    ANNOTATIONS = "annotations"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A form field that was filled when a signer signed, and was filled again later.

    `name` is the full name of the field; `before` and `after` are its values as text. They are people's data.
    `unseen_by` are the names of the signature fields whose signers saw `before` and not `after`.
    """

    name: str
    before: str
    after: str
    unseen_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CoveredWords:
    """Words of a page that the stamp of a later signature stands over.

    `page` counts from 1. `words` is people's data. `by` is the field of the later signature, `unseen_by` are those of
    the signatures whose signers saw the words uncovered.
    """

    page: int
    words: str
    by: str
    unseen_by: tuple[str, ...]


class Strength(StrEnum):
    """Whether an algorithm was recommended at the time that the signature is proven to have existed at."""

    STRONG = "strong"
    WEAK = "weak"


class Tier(StrEnum):
    """The rank of a signature, by the trust lists of the operator.

    `certified` and `secure` are ranks of Israel's Electronic Signature Law, 5761-2001; `qualified` and `advanced` of
    eIDAS. `plain`: trust lists were read, and none of them lists the issuer of its certificate at the time of signing.
    """

    PLAIN = "plain"
    SECURE = "secure"
    CERTIFIED = "certified"
    ADVANCED = "advanced"
    QUALIFIED = "qualified"


class TimeSource(StrEnum):
    """The source of the time of signing: a time stamp of a trusted authority, the signer's own clock, or nothing."""

    TIME_STAMP = "time_stamp"
    SIGNER = "signer"
    NONE = "none"


class RevocationStatus(StrEnum):
    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SignerCertificate:
    """What a signer's certificate says of itself. `subject` and `issuer` are common names, `serial` is hexadecimal.

    `sha256` is the digest of the certificate as DER.
    """

    subject: str | None
    issuer: str | None
    serial: str
    sha256: str
    valid_from: datetime | None
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class Revocation:
    """What the certificate's authority said of it. `source`: `ocsp` or `crl`; None if nothing usable was found.

    `said_at` is the time of that answer, `revoked_at` the time of a revocation, `reason` why the status is unknown.
    """

    status: RevocationStatus
    source: str | None = None
    said_at: datetime | None = None
    revoked_at: datetime | None = None
    reason: str | None = None
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class SignatureVerdict:
    """The verdict on one signature. None means unknown.

    `intact`: the bytes that it covers are the signed bytes. `valid`: the signature belongs to its certificate, and its
    time stamps belong to it. `change_permitted`: by the signature's own rules (DocMDP, FieldMDP). `locks`: it permits
    only archival changes. `signed_at`: the time of its time stamp, if that leads to a trusted root, otherwise the time
    that the signer states. `trusted`: at that time, its certificate led to a trusted root and was not revoked. It is
    None without trusted roots, and if only the signer's clock says that the certificate was still valid.
    `trust_reason`: why it is not True. `digest`: the digest algorithm, as `sha256`. `reason`: why part of it could not
    be judged. `algorithm`: as `rsa-2048 sha256`.
    """

    field: str
    is_document_time_stamp: bool
    intact: bool | None = None
    valid: bool | None = None
    coverage: Coverage | None = None
    change: LaterChange | None = None
    change_permitted: bool | None = None
    locks: bool | None = None
    signer_name: str | None = None
    signer_organization: str | None = None
    signed_at: datetime | None = None
    trusted: bool | None = None
    digest: str | None = None
    reason: str | None = None
    certificate: SignerCertificate | None = None
    algorithm: str | None = None
    strength: Strength | None = None
    tier: Tier | None = None
    time_source: TimeSource | None = None
    trust_reason: str | None = None
    revocation: Revocation | None = None
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on all signatures, in order of the document's revisions. `locked`: a signature permits no change.

    `reason`: why the document cannot be judged. `field_changes`: the fields that were filled again after a signature.
    `covered`: the words that stamps of later signatures stand over.
    """

    outcome: Outcome
    intact: bool | None
    valid: bool | None
    locked: bool | None
    covers_whole_file: bool | None
    changed_after_signing: bool | None
    trusted: bool | None
    signatures: tuple[SignatureVerdict, ...]
    reason: str | None = None
    field_changes: tuple[FieldChange, ...] = ()
    covered: tuple[CoveredWords, ...] = ()
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict, compare=False)


UNREADABLE = Verdict(Outcome.UNREADABLE, None, None, None, None, None, None, signatures=())


def verdict_as_json(verdict: Verdict) -> dict[str, Any]:
    """Return the verdict as JSON values, as the API shows it."""
    shown: dict[str, Any] = _as_json(asdict(verdict))
    return shown


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(each) for each in value]
    return value.isoformat() if isinstance(value, datetime) else value


MOST_CHANGES = 1000
"""The most changes that a result lists."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict on the signed document of a version, made after its arrival.

    `receipt_id` is the receipt of the version. `number` counts the judgements of the version from 1. `roots` is the
    digest of the trust roots at that time. `cellar` and `pyhanko` are the versions of the programs that judged.
    """

    receipt_id: str
    number: int
    at: datetime
    roots: str
    cellar: str
    pyhanko: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A kept verdict that is better than the document deserves today. Neither time nor trust roots explain it.

    `key` is the file of the kept verdict in the store. `about` is `document`, or `signature` and its number. No member
    has a name of a person or of a field.
    """

    key: str
    about: str
    kept: str
    found: str


@dataclass(frozen=True, slots=True)
class Change:
    """A document that is judged differently than the last time. `is_worse`: a person should know about it.

    `before` and `now` are outcomes, with what was said of trust.
    """

    reference: str
    version: int
    before: str
    now: str
    is_worse: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """The result of judging documents again. `kept` is the number of new judgements in the store.

    `changes` has the first changes, and `changes_in_all` their number. `unjudged` are the keys of objects with a
    document that could not be judged, `unkept` those of versions whose judgement could not be kept, with the reasons.
    """

    documents: int = 0
    kept: int = 0
    changes_in_all: int = 0
    changes: tuple[Change, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    unjudged: tuple[tuple[str, str], ...] = ()
    unkept: tuple[tuple[str, str], ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether every document could be judged, and no kept verdict is better than its document."""
        return not self.contradictions and not self.unjudged

    def __add__(self, other: "Judged") -> "Judged":
        whole = Judged(*(getattr(self, each.name) + getattr(other, each.name) for each in dataclasses.fields(Judged)))
        return dataclasses.replace(whole, changes=whole.changes[:MOST_CHANGES])


@dataclass(frozen=True, slots=True)
class Wanted:
    """An OCSP answer or a CRL. `request` is the OCSP request in hexadecimal; empty for a CRL."""

    url: str
    request: str = ""
