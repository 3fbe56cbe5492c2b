"""The verdict on a signed document: what its signatures say of it."""

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """What became of a document since it was signed.

    `sound`: every signature holds, and nothing came after one that it does not permit. `changed`: the signatures hold,
    but the document was changed after one of them. `broken`: a signature does not fit the bytes that it covers, a time
    stamp in one is of something else, or either is damaged. `unsigned` is a finding, not an accusation. `unreadable`:
    nobody can say.
    """

    SOUND = "sound"
    CHANGED = "changed"
    BROKEN = "broken"
    UNSIGNED = "unsigned"
    UNREADABLE = "unreadable"


class Coverage(StrEnum):
    """How much of the file's bytes a signature covers.

    `file`: all, up to the last. `revision`: all of the document as it was signed; updates follow. `part`: from the
    first byte on, but not the whole document as it was signed. `unclear`: something else, which honest signers do not
    make.
    """

    FILE = "file"
    REVISION = "revision"
    PART = "part"
    UNCLEAR = "unclear"


class LaterChange(StrEnum):
    """The gravest change to the document after a signature.

    `archival`: validation data (DSS), document time stamps, empty signature fields. `form_filling`: that, values of
    form fields, and further signatures. `other`: whatever is neither, bytes that belong to no update among them.
    """

    NONE = "none"
    ARCHIVAL = "archival"
    FORM_FILLING = "form_filling"
    ANNOTATIONS = "annotations"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class SignatureVerdict:
    """What one signature says. None stands for what cannot be known.

    `intact`: the bytes that it covers are the signed ones. `valid`: the signature is that of the certificate in it, and
    its time stamps are of what they are in. `change_permitted`: by the signature's own rules (DocMDP, FieldMDP).
    `locks`: it permits no change at all, save archival ones. `signed_at`: as its time stamp says, where that leads to a
    trusted root, or else the signer. `trusted`: at that time, its certificate led to a trusted root; revocation is not
    asked for. None without trusted roots. `digest`: the algorithm of what was signed, as `sha256`; verdicts of earlier
    builds do not tell it.
    """

    field: str
    is_document_time_stamp: bool
    intact: bool | None
    valid: bool | None
    coverage: Coverage | None
    change: LaterChange | None
    change_permitted: bool | None
    locks: bool | None
    signer_name: str | None
    signer_organization: str | None
    signed_at: datetime | None
    trusted: bool | None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What all signatures say. `locked`: one of them permits no change. Order follows the revisions of the document."""

    outcome: Outcome
    intact: bool | None
    valid: bool | None
    locked: bool | None
    covers_whole_file: bool | None
    changed_after_signing: bool | None
    trusted: bool | None
    signatures: tuple[SignatureVerdict, ...]


UNREADABLE = Verdict(
    outcome=Outcome.UNREADABLE,
    intact=None,
    valid=None,
    locked=None,
    covers_whole_file=None,
    changed_after_signing=None,
    trusted=None,
    signatures=(),
)


def verdict_as_json(verdict: Verdict) -> dict[str, Any]:
    """Return the verdict as what JSON knows, as the API shows it."""
    shown = asdict(verdict)
    shown["signatures"] = [
        signature | {"signed_at": moment.isoformat() if (moment := signature["signed_at"]) else None}
        for signature in shown["signatures"]
    ]
    return shown
