"""Makes warnings from the verdict on a signed document and from the signatures that the payload names."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from models.archive.archive import Archive
from models.archive.content import Role
from models.archive.judgement import Judgement
from models.archive.verdict import Outcome, RevocationStatus, Verdict
from models.archive.warning import ArchiveWarning, WarningCode

_WHERE = str(Role.SIGNED_DOCUMENT)
_BAD = {
    Outcome.CHANGED: (WarningCode.SIGNED_DOCUMENT_CHANGED, "the document was changed after it was signed"),
    Outcome.BROKEN: (WarningCode.SIGNED_DOCUMENT_BROKEN, "a signature or its time stamp does not match what it covers"),
    Outcome.UNREADABLE: (WarningCode.SIGNED_DOCUMENT_UNREADABLE, "the signatures of the document cannot be judged"),
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
        code, detail = _BAD[verdict.outcome]
        yield ArchiveWarning(code, _WHERE, detail)
    if verdict.outcome is Outcome.FIELDS_CHANGED:
        yield ArchiveWarning(WarningCode.SIGNED_DOCUMENT_FIELDS_CHANGED, _WHERE, _fields_changed(verdict))
    if verdict.outcome is Outcome.UNSIGNED and archive.signatures:
        detail = f"the document has no digital signature, but the payload names {len(archive.signatures)} signatures"
        yield ArchiveWarning(WarningCode.SIGNED_DOCUMENT_UNSIGNED, _WHERE, detail)
    if verdict.trusted is False:
        detail = _untrusted(verdict)
        yield ArchiveWarning(WarningCode.SIGNED_DOCUMENT_NOT_TRUSTED, _WHERE, detail)
    if any(each.revocation and each.revocation.status is RevocationStatus.REVOKED for each in verdict.signatures):
        detail = "a signer's certificate was revoked before the time at which the signature is known to have existed"
        yield ArchiveWarning(WarningCode.SIGNED_DOCUMENT_REVOKED, _WHERE, detail)
    if any(each.digest in _WEAK_DIGESTS for each in verdict.signatures):
        detail = "a signature uses a weak digest, MD5 or SHA-1, that another document can share"
        yield ArchiveWarning(WarningCode.SIGNED_DOCUMENT_WEAK_DIGEST, _WHERE, detail)
    if _is_older_than_its_signatures(archive, verdict):
        detail = "the document's last digital signature is older than the last signature in the payload"
        yield ArchiveWarning(WarningCode.SIGNED_DOCUMENT_TOO_OLD, _WHERE, detail)


def _untrusted(verdict: Verdict) -> str:
    reasons = {each.trust_reason for each in verdict.signatures if each.trusted is False and each.trust_reason}
    if not reasons:  # a verdict of an earlier build
        return "a signer's certificate does not lead to a trusted root"
    return f"a signature is not trusted: {'; '.join(sorted(reasons))}"


def _fields_changed(verdict: Verdict) -> str:
    """Count fields and signers without naming them: a name or a value is people's data."""
    fields = len({change.name for change in verdict.field_changes})
    signers = len({signer for change in verdict.field_changes for signer in change.unseen_by})
    return f"form fields filled again after a signature: {fields}; signers who did not see that: {signers}"


def _is_older_than_its_signatures(archive: Archive, verdict: Verdict) -> bool:
    sealed = [each.signed_at for each in verdict.signatures if each.signed_at and not each.is_document_time_stamp]
    signed = [each.signed_at for each in archive.signatures if each.signed_at]
    return bool(sealed and signed) and max(sealed) + _LATEST < max(signed)
