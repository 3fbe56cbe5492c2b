"""Signed documents: the warnings that follow from a verdict, what differs between two verdicts, and their words.

Each judgement stands for people under its label, which is marked for translation.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from typing import Any

from models.archive.archive import Archive, ArchiveWarning, WarningCode
from models.archive.content import Role
from models.archive.verdict import (
    Contradiction,
    Coverage,
    Judgement,
    Outcome,
    RevocationStatus,
    SignatureVerdict,
    Tier,
    Verdict,
)
from models.said import Said, Sentence, said_by
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
    return bool(sealed and signed) and max(signed) - max(sealed) > _LATEST


def changed_since(verdict: Verdict) -> str | None:
    """Return the field of the first signature after which something was changed that its signer did not permit or see.

    None without such a change. Pure.
    """
    unseen = set(chain.from_iterable(each.unseen_by for each in verdict.field_changes))
    unseen |= set(chain.from_iterable(each.unseen_by for each in verdict.covered))
    found = (each.field for each in verdict.signatures if each.change_permitted is False or each.field in unseen)
    return next(found, None)


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


_MOST_SIGNERS = 3


def signers(verdict: Verdict, people: Iterable[str | None]) -> tuple[int, Said | None, Said | None, int]:
    """Return the number of signatures, who signed, the highest tier, and how many have it. Pure.

    A signature that is not known to be intact does not count, and neither does a time stamp. One certificate that is of
    none of the `people` who signed, as Cellosign says, is that of a service, which sealed what they signed.
    """
    intact = [each for each in verdict.signatures if each.intact and each.valid and not each.is_document_time_stamp]
    certified = [each.signer_name for each in intact]
    names, theirs = (list(dict.fromkeys(filter(None, its))) for its in (certified, people))
    is_sealed = len(names) == 1 and bool(theirs) and names[0] not in theirs
    who = theirs if is_sealed else names
    who = [*who[:_MOST_SIGNERS], "…"] if len(who) > _MOST_SIGNERS else who
    said = Sentence.signed_and_sealed_by(who=who, service=names[0]) if is_sealed else Sentence.signed_by(who=who)
    tiers = [each.tier for each in intact if each.tier]
    highest = max(tiers, key=_TIERS.index, default=None)
    of_tier = tiers.count(highest) if highest else 0
    return len(intact), said if names else None, Said(f"tier_{highest}") if highest else None, of_tier


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
