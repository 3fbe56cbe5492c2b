"""Words for people what an export has proved: who holds the archive, what was checked, when, and with which result."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.anchors import anchor_root
from domain.pages.languages import Say
from models.store.anchor import AnchorProof
from models.store.fixity import FixityFinding

_PROVED = "Every stored part of the archive is as it was when it arrived: its bytes have the digests written then."
_REBUILT = (
    "The request of Cellosign was put together again from these parts. It is the request that the receipt number names."
)
_SEALED = (
    "The request contains card details, which are kept encrypted and are not in this copy. The request was put "
    "together again where the archive is kept, and it is the request that the receipt number names."
)
_LOCKED = (
    "The request contains card details, whose key is lost or was destroyed. Nobody can open them without the key. The "
    "request could not be put together again, so it was not compared with the receipt number."
)
_ANCHORED = "The archive stands in a signed list of what was kept at that time. The list cannot be changed unnoticed."
_STAMPED = "An independent authority has confirmed the time of that list."
_NOT_ANCHORED = "The archive is not yet in a signed list, so this copy does not prove at what time the archive existed."


@dataclass(frozen=True, slots=True)
class Proof:
    """What an export has proved, and when. `holder`: the institution that holds the archive, or an empty text.
    `is_in_clear`: the parts in the bag rebuild the request. `is_locked`: the request has sealed values whose key is
    missing, so that nothing rebuilds it. `findings`: what speaks against the archive.
    """

    at: datetime
    holder: str
    receipt_id: str
    is_in_clear: bool
    is_locked: bool
    findings: Sequence[FixityFinding]
    anchored: AnchorProof | None


def proof_shown(proof: Proof, say: Say) -> dict[str, Any]:
    """Return what the page shows of a proof, in the language of the page. Pure."""
    statement = proof.anchored.inclusion.statement if proof.anchored else None
    whole = _result(proof)
    return {
        "result": say(whole),
        "is_locked": proof.is_locked,
        "is_damaged": bool(proof.findings),
        "is_anchored": proof.anchored is not None,
        "findings": [(say(each.fault), each.key, each.expected, each.found) for each in proof.findings],
        "checks": [say(each) for each in _checks(proof)],
        "about": {
            "Held by": proof.holder or say("not stated"),
            "Result of the check": say(whole),
            "Checked at": time_text(proof.at),
            "Receipt number": proof.receipt_id,
            "Number of the list": str(statement.number) if statement else None if proof.findings else say("none yet"),
            "Time of the list": time_text(statement.at) if statement else None,
            "Root of the list": anchor_root(statement) if statement else None,
        },
    }


def _result(proof: Proof) -> str:
    if proof.findings:
        return "DAMAGED. Do not rely on this copy."
    if proof.is_locked:
        return "The stored parts are whole and unchanged. The card details cannot be opened."
    return "Whole and unchanged"


def _checks(proof: Proof) -> list[str]:
    if proof.findings:
        return []
    said = [_PROVED, _LOCKED if proof.is_locked else _REBUILT if proof.is_in_clear else _SEALED]
    if proof.anchored is None:
        return [*said, _NOT_ANCHORED]
    return [*said, _ANCHORED, *([_STAMPED] if proof.anchored.tokens else [])]


def time_text(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
