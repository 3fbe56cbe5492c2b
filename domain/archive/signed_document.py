"""Signed documents: the warnings that follow from a verdict, what differs between two verdicts, and their words.

Each judgement stands for people under its label, which is marked for translation.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from domain.words.wording import N_
from models.archive.archive import Archive, ArchiveWarning, WarningCode
from models.archive.content import Role
from models.archive.verdict import (
    Contradiction,
    Coverage,
    Judgement,
    LaterChange,
    Outcome,
    Revocation,
    RevocationStatus,
    SignatureVerdict,
    Tier,
    Verdict,
)
from models.said import Said, Sentence, moment, said_by, verbatim
from models.store.condition import OF_ALL_ARCHIVES
from models.views.archives.archives import ArchiveView

_WHERE = str(Role.SIGNED_DOCUMENT)
_BAD = {
    Outcome.CHANGED: WarningCode.SIGNED_DOCUMENT_CHANGED,
    Outcome.BROKEN: WarningCode.SIGNED_DOCUMENT_BROKEN,
    Outcome.UNREADABLE: WarningCode.SIGNED_DOCUMENT_UNREADABLE,
}
_WEAK_DIGESTS = {"md5", "sha1"}  # another document can be made with the same digest
_LATEST = timedelta(days=1)  # the payload's times carry no zone, and clocks differ


def with_verdict(
    archive: Archive, verdict: Verdict, roots: str | None = None, judgements: tuple[Judgement, ...] = ()
) -> Archive:
    """Return the archive with the verdict on its signed document at arrival, and the later judgements. Pure.

    The warnings follow from the last judgement: a false alarm that a newer judge has mended is no longer a warning.
    """
    last = judgements[-1].verdict if judgements else verdict
    return replace(
        archive,
        signed_document_verdict=verdict,
        arrival_roots=roots,
        judgements=judgements,
        warnings=(*archive.warnings, *_warnings(archive, last)),
    )


def _warnings(archive: Archive, verdict: Verdict) -> Iterator[ArchiveWarning]:
    if verdict.outcome in _BAD:
        yield ArchiveWarning(_BAD[verdict.outcome], _WHERE)
    if verdict.outcome is Outcome.FIELDS_CHANGED:
        yield ArchiveWarning(WarningCode.SIGNED_DOCUMENT_FIELDS_CHANGED, _WHERE, _fields_changed(verdict))
    if verdict.outcome is Outcome.UNSIGNED and archive.signatures:
        yield ArchiveWarning(WarningCode.SIGNED_DOCUMENT_UNSIGNED, _WHERE, {"count": len(archive.signatures)})
    if verdict.trusted is False:
        yield ArchiveWarning(WarningCode.SIGNED_DOCUMENT_NOT_TRUSTED, _WHERE, {"why": _untrusted(verdict)})
    if any(each.revocation and each.revocation.status is RevocationStatus.REVOKED for each in verdict.signatures):
        yield ArchiveWarning(WarningCode.SIGNED_DOCUMENT_REVOKED, _WHERE)
    if any(each.digest in _WEAK_DIGESTS for each in verdict.signatures):
        yield ArchiveWarning(WarningCode.SIGNED_DOCUMENT_WEAK_DIGEST, _WHERE)
    if _is_older_than_its_signatures(archive, verdict):
        yield ArchiveWarning(WarningCode.SIGNED_DOCUMENT_TOO_OLD, _WHERE)


def _untrusted(verdict: Verdict) -> list[dict[str, Any]]:
    """Return why signatures are not trusted, each reason once. A signature that could not be judged has none."""
    untrusted = [each for each in verdict.signatures if each.trusted is False]
    reasons = {each.trust_reason: said_by(each.values, "trust_reason") for each in untrusted}
    known = [reason.as_json() for _, reason in sorted(reasons.items(), key=str) if reason]
    return known or [Sentence.untrusted_root().as_json()]


def _fields_changed(verdict: Verdict) -> dict[str, int]:
    """Count fields and signers without naming them: a name or a value is people's data."""
    fields = {change.name for change in verdict.field_changes}
    signers = {signer for change in verdict.field_changes for signer in change.unseen_by}
    return {"fields": len(fields), "signers": len(signers)}


def _is_older_than_its_signatures(archive: Archive, verdict: Verdict) -> bool:
    sealed = [each.signed_at for each in verdict.signatures if each.signed_at and not each.is_document_time_stamp]
    signed = [each.signed_at for each in archive.signatures if each.signed_at]
    return bool(sealed and signed) and max(sealed) + _LATEST < max(signed)


_RANKS: Mapping[Outcome, int] = {
    Outcome.SOUND: 0,
    Outcome.UNSIGNED: 0,
    Outcome.COVERED: 0,
    Outcome.FIELDS_CHANGED: 1,
    Outcome.CHANGED: 2,
    Outcome.UNREADABLE: 2,
    Outcome.BROKEN: 3,
}
"""The higher, the worse. A missing signature is found by comparing the signatures."""
_COVERAGES = list(Coverage)  # from the best to the worst
_TIERS = list(Tier)  # from the lowest to the highest
_OF_THE_CERTIFICATE = ("signer_name", "signer_organization", "certificate")


def is_worse(before: Verdict, now: Verdict) -> bool:
    """Return whether a person should know about a new judgement. Pure."""
    return _RANKS[before.outcome] < _RANKS[now.outcome] or (now.trusted is False and before.trusted is not False)


def described(verdict: Verdict) -> str:
    """Return a verdict in a few words, without names. Pure."""
    trusted = {True: ", trusted", False: ", not trusted", None: ""}[verdict.trusted]
    return f"{verdict.outcome}{trusted}"


def contradictions(key: str, kept: Verdict, now: Verdict) -> Iterator[Contradiction]:
    """Find where a kept verdict is better than the document deserves today. Pure.

    Only facts are compared that neither time nor trust roots change. A kept verdict that is worse than today's is no
    contradiction: newer judges mend false alarms.

    Args:
        key: the key of the kept verdict in the store.
        kept: the verdict that was made earlier.
        now: the verdict of today on the same bytes.
    """
    if _RANKS[kept.outcome] < _RANKS[now.outcome]:
        yield Contradiction(key, "document", kept.outcome, now.outcome)
    if Outcome.UNREADABLE in (kept.outcome, now.outcome):
        return  # the signatures of one of them are not known
    found = defaultdict(list)
    for each in now.signatures:
        found[each.field].append(each)
    for number, each in enumerate(kept.signatures, 1):
        about, its = f"signature {number}", found[each.field]
        if its:
            yield from _of_signature(key, about, each, its.pop(0))
        else:
            yield Contradiction(key, about, "a signature", "no such signature")


def _of_signature(key: str, about: str, kept: SignatureVerdict, now: SignatureVerdict) -> Iterator[Contradiction]:
    for name in ("intact", "valid"):
        if getattr(kept, name) is True and getattr(now, name) is False:
            yield Contradiction(key, about, name, f"not {name}")
    if kept.coverage and now.coverage and _COVERAGES.index(kept.coverage) < _COVERAGES.index(now.coverage):
        yield Contradiction(key, about, f"covers the {kept.coverage}", f"covers: {now.coverage}")
    for name in _OF_THE_CERTIFICATE:
        if getattr(kept, name) != getattr(now, name) and getattr(kept, name) is not None:
            yield Contradiction(key, about, f"a {name}", f"another {name}")


Judgements = Mapping[str, Said | None]
"""Judgements by their labels. None: nothing is known."""


def document_text(verdict: Verdict) -> Judgements:
    """Return the judgements on the document. Pure."""
    return {
        "outcome": Sentence.document_is(outcome=Said(verdict.outcome), judged=judged(verdict)),
        "locked": _answer(verdict.locked),
        "covers the whole file": _answer(verdict.covers_whole_file),
        "trusted": _trust(verdict),
    }


def standing(archive: ArchiveView, verdict: Verdict | None, of_store: Iterable[str] = ()) -> list[str]:
    """Return the codes that say at first sight whether an archive is unaltered: its conditions, if it has any. Pure.

    Unaltered is a document that is sound, whose archive a check has read since its last version was completed, in a
    store that is there and is as anchored. `of_store`: the open conditions of the store.
    """
    if archive.conditions:
        return [each.code for each in archive.conditions]
    if archive.state != "completed" or verdict is None:
        return [archive.state if archive.state != "completed" else "no_verdict"]
    if verdict.outcome is not Outcome.SOUND:
        return [verdict.outcome]
    if wrong := [each for each in of_store if each in OF_ALL_ARCHIVES]:
        return wrong
    is_checked = archive.is_since_completion(archive.checked_at)
    return ["unaltered" if is_checked else "unaltered_at_arrival"]


def signers(verdict: Verdict) -> tuple[int, list[str], Said | None, int]:
    """Return the number of signatures, who signed, the highest tier, and how many have it. Pure.

    A signature that is not known to be intact does not count, and neither does a time stamp.
    """
    intact = [each for each in verdict.signatures if each.intact and each.valid and not each.is_document_time_stamp]
    names = list(dict.fromkeys(each.signer_name for each in intact if each.signer_name))
    tiers = [each.tier for each in intact if each.tier]
    highest = max(tiers, key=_TIERS.index, default=None)
    return len(intact), names, Said(f"tier_{highest}") if highest else None, tiers.count(highest) if highest else 0


def signature_outcome(verdict: Verdict, signature: SignatureVerdict) -> Outcome | None:
    """Return what one signature shows of the document; None if it is intact in a document that is not sound. Pure."""
    if signature.intact is False or signature.valid is False:
        return Outcome.BROKEN
    if signature.change_permitted is False:
        return Outcome.CHANGED
    if not (signature.intact and signature.valid and signature.change_permitted):
        return Outcome.UNREADABLE
    if any(signature.field in each.unseen_by for each in verdict.field_changes):
        return Outcome.FIELDS_CHANGED
    if any(signature.field in each.unseen_by for each in verdict.covered):
        return Outcome.COVERED
    return Outcome.SOUND if verdict.outcome is Outcome.SOUND else None


def judged(verdict: Verdict) -> Said:
    """Return what the outcome means, with its reason. Pure."""
    what, why = Said(f"document_{verdict.outcome}"), said_by(verdict.values, "reason")
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
    """Return what is known of each signature's certificate, algorithm and time. Pure."""
    return [_certificate_text(each) for each in verdict.signatures]


def _certificate_text(signature: SignatureVerdict) -> Judgements:
    return {
        N_("certificate"): _certificate(signature),
        N_("valid until"): _time(signature.certificate.valid_until) if signature.certificate else None,
        N_("trusted"): _because(_answer(signature.trusted), [_why_untrusted(signature)]),
        N_("revoked"): _revocation(signature.revocation),
        N_("tier"): Said(f"tier_{signature.tier}") if signature.tier else Sentence.not_judged(),
        N_("algorithm"): _algorithm(signature),
        N_("time from"): Said(f"time_from_{signature.time_source}") if signature.time_source else _answer(None),
        N_("not judged because"): said_by(signature.values, "reason"),
    }


def _certificate(signature: SignatureVerdict) -> Said | None:
    certificate = signature.certificate
    if certificate is None:
        return None
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
