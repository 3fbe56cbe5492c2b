"""Words the verdict on a signed document for people."""

from collections.abc import Mapping
from datetime import UTC, datetime

from domain.words.wording import N_
from models.archive.verdict import (
    LaterChange,
    Outcome,
    Revocation,
    RevocationStatus,
    SignatureVerdict,
    Strength,
    Tier,
    TimeSource,
    Verdict,
)

_OUTCOMES: Mapping[Outcome, str] = {
    Outcome.SOUND: N_("Sound: every signature is intact and valid, and permits all later changes."),
    Outcome.FIELDS_CHANGED: N_(
        "Fields changed: a form field that was filled when somebody signed was filled again later."
    ),
    Outcome.CHANGED: N_("Changed: the document was changed after it was signed. No signature is known to be broken."),
    Outcome.BROKEN: N_("Broken: a signature or its time stamp does not match what it covers."),
    Outcome.UNSIGNED: N_("Unsigned: the document has no digital signature."),
    Outcome.UNREADABLE: N_("Unreadable: the signatures of the document cannot be judged."),
}
_CHANGES: Mapping[LaterChange | None, str] = {
    LaterChange.NONE: N_("none"),
    LaterChange.ARCHIVAL: N_("validation data or time stamps"),
    LaterChange.FORM_FILLING: N_("form fields or further signatures"),
    LaterChange.ANNOTATIONS: N_("annotations"),
    LaterChange.OTHER: N_("other changes"),
    None: N_("unknown"),
}
_TIERS: Mapping[Tier | None, str] = {
    Tier.PLAIN: N_("plain: in no trust list"),
    Tier.SECURE: N_("secure (Electronic Signature Law, 5761-2001)"),
    Tier.CERTIFIED: N_("certified (Electronic Signature Law, 5761-2001)"),
    Tier.ADVANCED: N_("advanced, with a certificate of a listed authority (eIDAS)"),
    Tier.QUALIFIED: N_("qualified certificate (eIDAS)"),
    None: N_("not judged"),
}
_STRENGTHS: Mapping[Strength | None, str] = {
    Strength.STRONG: N_("strong"),
    Strength.WEAK: N_("weak"),
    None: N_("strength unknown"),
}
_TIME_SOURCES: Mapping[TimeSource | None, str] = {
    TimeSource.TIME_STAMP: N_("a trusted time stamp"),
    TimeSource.SIGNER: N_("the signer's own clock"),
    TimeSource.NONE: N_("nothing: no time is stated"),
    None: N_("unknown"),
}


def document_text(verdict: Verdict) -> dict[str, str]:
    """Return the judgements on the document, each under its label. Pure."""
    return {
        "outcome": _outcome(verdict),
        "locked": _answer(verdict.locked),
        "covers the whole file": _answer(verdict.covers_whole_file),
        "trusted": _trust(verdict),
    }


def field_change_texts(verdict: Verdict) -> list[dict[str, str]]:
    """Return the fields that were filled again after a signature, each value under its label. Pure."""
    return [
        {
            "field": each.name,
            "before": each.before,
            "after": each.after,
            "not seen by": ", ".join(_signer(verdict, name) for name in each.unseen_by),
        }
        for each in verdict.field_changes
    ]


def _signer(verdict: Verdict, field: str) -> str:
    """Return who signed in a signature field, with the field: two signers may have the same name."""
    names = [each.signer_name for each in verdict.signatures if each.field == field and each.signer_name]
    return f"{names[0]} ({field})" if names else field


def _outcome(verdict: Verdict) -> str:
    text = _OUTCOMES[verdict.outcome]
    return f"{text.removesuffix('.')}, because {verdict.reason}." if verdict.reason else text


def signature_texts(verdict: Verdict) -> list[dict[str, str | None]]:
    """Return the judgements on each signature, each under its label. Pure."""
    return [_signature_text(each) for each in verdict.signatures]


def _signature_text(signature: SignatureVerdict) -> dict[str, str | None]:
    return {
        N_("kind"): N_("time stamp") if signature.is_document_time_stamp else N_("signature"),
        N_("signer"): signature.signer_name,
        N_("organization"): signature.signer_organization,
        N_("signed at"): _time(signature.signed_at),
        N_("intact"): _answer(signature.intact),
        N_("valid"): _answer(signature.valid),
        N_("changes after it"): _changes(signature),
    }


def certificate_texts(verdict: Verdict) -> list[dict[str, str | None]]:
    """Return what is known of each signature's certificate, algorithm and time, each under its label. Pure."""
    return [_certificate_text(each) for each in verdict.signatures]


def _certificate_text(signature: SignatureVerdict) -> dict[str, str | None]:
    certificate = signature.certificate
    return {
        N_("certificate"): f"{certificate.serial} of {certificate.issuer or 'nobody named'}" if certificate else None,
        N_("valid until"): _time(certificate.valid_until) if certificate else None,
        N_("trusted"): _with_reason(_answer(signature.trusted), signature.trust_reason),
        N_("revoked"): _revocation(signature.revocation),
        N_("tier"): _TIERS[signature.tier],
        N_("algorithm"): signature.algorithm
        and f"{signature.algorithm}, {signature.strength or N_('strength unknown')}",
        N_("time from"): _TIME_SOURCES[signature.time_source],
        N_("not judged because"): signature.reason,
    }


def _revocation(revocation: Revocation | None) -> str:
    if revocation is None or revocation.status is RevocationStatus.UNKNOWN:
        return _with_reason("unknown", revocation.reason if revocation else None)
    source = f"by {'an OCSP answer' if revocation.source == 'ocsp' else 'a CRL'} of {_time(revocation.said_at)}"
    if revocation.status is RevocationStatus.REVOKED:
        return f"yes, at {_time(revocation.revoked_at)}, {source}"
    later = f"; revoked later, at {_time(revocation.revoked_at)}" if revocation.revoked_at else ""
    return f"no, {source}{later}"


def _with_reason(answer: str, reason: str | None) -> str:
    return f"{answer}: {reason}" if reason else answer


def _changes(signature: SignatureVerdict) -> str:
    text = _CHANGES[signature.change]
    if signature.change in (LaterChange.NONE, None) and signature.change_permitted is not False:
        return text
    return ", ".join((text, N_("not permitted") if signature.change_permitted is False else N_("permitted")))


def _trust(verdict: Verdict) -> str:
    reasons = dict.fromkeys(each.trust_reason for each in verdict.signatures if each.trust_reason)
    if verdict.trusted is None and verdict.signatures:
        return f"not judged: {'; '.join(reasons) or 'no trusted roots were configured'}"
    return _with_reason(_answer(verdict.trusted), None if verdict.trusted else "; ".join(reasons))


def _answer(answer: bool | None) -> str:
    return N_("unknown") if answer is None else N_("yes") if answer else N_("no")


def _time(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    try:
        return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except OverflowError:  # a signer may state any time, even at the end of the calendar
        return moment.isoformat()
