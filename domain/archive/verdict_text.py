"""Words the verdict on a signed document for people."""

from collections.abc import Mapping
from datetime import UTC, datetime

from models.archive.verdict import LaterChange, Outcome, SignatureVerdict, Verdict

_OUTCOMES: Mapping[Outcome, str] = {
    Outcome.SOUND: "Sound: every signature is intact and valid, and permits all later changes.",
    Outcome.CHANGED: "Changed: the document was changed after it was signed. No signature is known to be broken.",
    Outcome.BROKEN: "Broken: a signature or its time stamp does not match what it covers.",
    Outcome.UNSIGNED: "Unsigned: the document has no digital signature.",
    Outcome.UNREADABLE: "Unreadable: the signatures of the document cannot be judged.",
}
_CHANGES: Mapping[LaterChange | None, str] = {
    LaterChange.NONE: "none",
    LaterChange.ARCHIVAL: "validation data or time stamps",
    LaterChange.FORM_FILLING: "form fields or further signatures",
    LaterChange.ANNOTATIONS: "annotations",
    LaterChange.OTHER: "other changes",
    None: "unknown",
}


def document_text(verdict: Verdict) -> dict[str, str]:
    """Return the judgements on the document, each under its label. Pure."""
    return {
        "outcome": _OUTCOMES[verdict.outcome],
        "locked": _answer(verdict.locked),
        "covers the whole file": _answer(verdict.covers_whole_file),
        "trusted": _trust(verdict),
    }


def signature_texts(verdict: Verdict) -> list[dict[str, str | None]]:
    """Return the judgements on each signature, each under its label. Pure."""
    return [_signature_text(each) for each in verdict.signatures]


def _signature_text(signature: SignatureVerdict) -> dict[str, str | None]:
    return {
        "kind": "time stamp" if signature.is_document_time_stamp else "signature",
        "signer": signature.signer_name,
        "organization": signature.signer_organization,
        "signed at": _time(signature.signed_at),
        "intact": _answer(signature.intact),
        "valid": _answer(signature.valid),
        "changes after it": _changes(signature),
    }


def _changes(signature: SignatureVerdict) -> str:
    text = _CHANGES[signature.change]
    if signature.change_permitted is False:
        return f"{text}, not permitted"
    return text if signature.change in (LaterChange.NONE, None) else f"{text}, permitted"


def _trust(verdict: Verdict) -> str:
    if verdict.trusted is None and verdict.signatures:
        return "not judged: no trusted roots were configured"
    return _answer(verdict.trusted)


def _answer(answer: bool | None) -> str:
    return "unknown" if answer is None else "yes" if answer else "no"


def _time(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    try:
        return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except OverflowError:  # a signer may state any time, even at the end of the calendar
        return moment.isoformat()
