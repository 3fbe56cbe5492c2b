"""Says what a verdict about a signed document means, each value under its label."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from domain.archive.indications import indication, sub_indications
from domain.archive.signed_document import signers
from domain.words.wording import N_
from models.archive.verdict import (
    LaterChange,
    Outcome,
    Revocation,
    RevocationStatus,
    SignatureVerdict,
    TimeSource,
    Verdict,
)
from models.said import Said, Sentence, moment, said_by, verbatim

Judgements = Mapping[str, Said | None]
"""Judgements by their labels. None: nothing is known."""


def document_text(verdict: Verdict, people: Iterable[str | None] = ()) -> Judgements:
    """Return the judgements on the document. `people`: who signed, as Cellosign says. Pure."""
    code = headline(verdict)
    said = Sentence.document_is_half_proved if code in (UNPROVED, UNDATED) else Sentence.document_is
    return {
        "outcome": said(outcome=Said(code), judged=judged(verdict)),
        "signed by": signers(verdict, people)[1],
        "locked": _answer(verdict.locked),
        "covers the whole file": _answer(verdict.covers_whole_file),
        "trusted": _trust(verdict),
    }


UNPROVED, UNDATED = "unproved", "undated"


def headline(verdict: Verdict) -> str:
    """Return the outcome; of a sound document, the weaker of what is proved: who signed, and when. Pure."""
    if verdict.outcome is not Outcome.SOUND:
        return verdict.outcome
    if not verdict.trusted:
        return UNPROVED
    is_dated = all(each.time_source is TimeSource.TIME_STAMP for each in verdict.signatures)
    return verdict.outcome if is_dated else UNDATED


def judged(verdict: Verdict) -> Said:
    """Return what the headline means, with its reason. Pure."""
    what, why = Said(f"document_{headline(verdict)}"), said_by(verdict.values, "reason")
    return Sentence.document_unjudged(what=what, why=why) if why else Sentence.document_judged(what=what)


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


def covered_word_texts(verdict: Verdict) -> list[dict[str, str]]:
    """Return the words that stamps of later signatures stand over, each value under its label. Pure."""
    return [
        {
            "page": str(each.page),
            "words": each.words,
            "below the stamp of": _signer(verdict, each.by),
            "seen uncovered by": ", ".join(_signer(verdict, name) for name in each.unseen_by),
        }
        for each in verdict.covered
    ]


def _signer(verdict: Verdict, field: str) -> str:
    """Return who signed in a signature field, with the field: two signers may have the same name."""
    names = [each.signer_name for each in verdict.signatures if each.field == field and each.signer_name]
    return f"{names[0]} ({field})" if names else field


def signature_texts(verdict: Verdict) -> list[Judgements]:
    """Return the judgements on each signature. Pure."""
    return [_signature_text(each) for each in verdict.signatures]


def _signature_text(signature: SignatureVerdict) -> Judgements:
    return {
        N_("kind"): (Sentence.kind_time_stamp if signature.is_document_time_stamp else Sentence.kind_signature)(),
        N_("signer"): verbatim(signature.signer_name) if signature.signer_name else None,
        N_("organization"): verbatim(signature.signer_organization) if signature.signer_organization else None,
        N_("signed at"): _time(signature.signed_at),
        N_("intact"): _answer(signature.intact),
        N_("valid"): _answer(signature.valid),
        N_("changes after it"): _changes(signature),
    }


def certificate_texts(verdict: Verdict) -> list[Judgements]:
    """Return what is known of each signature's rank, certificate, algorithm and time. Pure."""
    return [_certificate_text(each, sub) for each, sub in sub_indications(verdict) if each]


def _certificate_text(signature: SignatureVerdict, sub_indication: str | None) -> Judgements:
    return {
        N_("tier"): _tier(signature),
        N_("certified by"): _certificate(signature),
        N_("valid until"): _time(signature.certificate.valid_until) if signature.certificate else None,
        N_("trusted"): _because(_answer(signature.trusted), [_why_untrusted(signature)]),
        N_("revoked"): _revocation(signature.revocation),
        N_("algorithm"): _algorithm(signature),
        N_("time from"): Said(f"time_from_{signature.time_source}") if signature.time_source else _answer(None),
        N_("not judged because"): said_by(signature.values, "reason"),
        N_("result by EN 319 102-1"): Said(f"indication_{indication(sub_indication)}"),
    }


def _tier(signature: SignatureVerdict) -> Said | None:
    if signature.is_document_time_stamp or False in (signature.intact, signature.valid):
        return None
    if signature.tier:
        return Said(f"tier_{signature.tier}")
    why = _why_untrusted(signature) if signature.trusted is None else Sentence.no_lists()
    return _because(Sentence.tier_unknown(), [why])


def _certificate(signature: SignatureVerdict) -> Said:
    certificate = signature.certificate
    if certificate is None:
        return _answer(None)
    if certificate.issuer is None:
        return Sentence.certificate_of_nobody(serial=certificate.serial)
    return Sentence.certificate_of(serial=certificate.serial, issuer=certificate.issuer)


def _algorithm(signature: SignatureVerdict) -> Said | None:
    if signature.algorithm is None:
        return None
    strength = Said(f"strength_{signature.strength or 'unknown'}")
    return Sentence.algorithm_is(algorithm=signature.algorithm, strength=strength)


def _revocation(revocation: Revocation | None) -> Said:
    if revocation is None or revocation.status is RevocationStatus.UNKNOWN:
        return _because(_answer(None), [said_by(revocation.values, "reason")] if revocation else [])
    source = Sentence.by_ocsp() if revocation.source == "ocsp" else Sentence.by_crl()
    said_at = _time(revocation.said_at)
    if revocation.revoked_at is None:
        return Sentence.not_revoked(source=source, said_at=said_at)
    is_revoked = revocation.status is RevocationStatus.REVOKED
    at = moment(revocation.revoked_at)
    sentence = Sentence.revoked if is_revoked else Sentence.revoked_later
    return sentence(at=at, source=source, said_at=said_at)


def _because(answer: Said, reasons: Iterable[Said | None]) -> Said:
    """Return an answer with its reasons, each once."""
    known: Sequence[Said] = [each for each in reasons if each]
    once = [each for number, each in enumerate(known) if each not in known[:number]]
    return Sentence.answer_because(answer=answer, why=once) if once else answer


def _changes(signature: SignatureVerdict) -> Said:
    is_none = signature.change in (LaterChange.NONE, None)
    change = Sentence.none() if signature.change is LaterChange.NONE else Said(f"change_{signature.change}")
    change = change if signature.change else _answer(None)
    if is_none and signature.change_permitted is not False:
        return change
    is_forbidden = signature.change_permitted is False
    return (Sentence.change_forbidden if is_forbidden else Sentence.change_permitted)(change=change)


def _trust(verdict: Verdict) -> Said:
    reasons = [_why_untrusted(each) for each in verdict.signatures]
    if verdict.trusted is None and verdict.signatures:
        return _because(Sentence.not_judged(), reasons if any(reasons) else [Sentence.no_roots()])
    return _because(_answer(verdict.trusted), [] if verdict.trusted else reasons)


def _why_untrusted(signature: SignatureVerdict) -> Said | None:
    return said_by(signature.values, "trust_reason")


def _time(at: datetime | None) -> Said | None:
    return moment(at) if at else None


def _answer(answer: bool | None) -> Said:
    return (Sentence.answer_unknown if answer is None else Sentence.answer_yes if answer else Sentence.answer_no)()
