"""Says what a verdict is in the terms of EN 319 102-1: an indication for each signature, and a sub-indication."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from domain.archive.signed_document import signature_outcome
from models.archive.verdict import Coverage, Outcome, RevocationStatus, SignatureVerdict, Strength, TimeSource, Verdict
from models.said import said_by

_PASSED, _INDETERMINATE, _FAILED = "TOTAL-PASSED", "INDETERMINATE", "TOTAL-FAILED"


@dataclass(frozen=True, slots=True)
class Indication:
    """`main` is TOTAL-PASSED, INDETERMINATE or TOTAL-FAILED; of a time stamp PASSED or FAILED. `sub` is the
    sub-indication, as HASH_FAILURE; None if the signature has passed.
    """

    main: str
    sub: str | None = None

    def __str__(self) -> str:
        return f"{self.main}, {self.sub}" if self.sub else self.main


_OF_UNTRUSTED: Mapping[str, str] = {
    "no_roots": "NO_CERTIFICATE_CHAIN_FOUND",
    "untrusted_root": "NO_CERTIFICATE_CHAIN_FOUND",
    "invalid_then": "OUT_OF_BOUNDS_NO_POE",
    "expired_then": "OUT_OF_BOUNDS_NO_POE",
    "expired_unproven": "OUT_OF_BOUNDS_NO_POE",
    "not_valid_yet": "NOT_YET_VALID",
    "weak_algorithm": "CRYPTO_CONSTRAINTS_FAILURE",
    "not_for_this_use": "CHAIN_CONSTRAINTS_FAILURE",
    "issuer_revoked": "REVOKED_CA_NO_POE",
    "revoked_before": "REVOKED_NO_POE",
    "revoked_unproven": "REVOKED_NO_POE",
}
"""Sub-indications by the reason for missing trust. REVOKED and EXPIRED would claim that the signature was made after
that time. A time stamp shows only that it was made before the stamp.
"""


def indications(verdict: Verdict) -> list[tuple[SignatureVerdict | None, Indication]]:
    """Return the indication of each signature, in their order. Pure.

    None passes if no signature accounts for a document that is changed or unreadable, as after a signature was removed.
    If such a document has no signature, it has one indication itself. An unsigned document has none.
    """
    outcomes = {signature_outcome(verdict, each) for each in verdict.signatures}
    of_document = None if verdict.outcome in outcomes else _of_integrity(verdict.outcome)
    if of_document and not verdict.signatures:
        return [(None, of_document)]
    return [(each, _named(each, _of_signature(verdict, each, of_document))) for each in verdict.signatures]


def _named(signature: SignatureVerdict, indication: Indication) -> Indication:
    is_stamp = signature.is_document_time_stamp
    return replace(indication, main=indication.main.removeprefix("TOTAL-")) if is_stamp else indication


def _of_signature(verdict: Verdict, signature: SignatureVerdict, of_document: Indication | None) -> Indication:
    if signature.intact is False:
        return Indication(_FAILED, "HASH_FAILURE")
    if signature.valid is False:
        return Indication(_FAILED, "SIG_CRYPTO_FAILURE")
    if signature.coverage is Coverage.UNCLEAR:
        return Indication(_FAILED, "FORMAT_FAILURE")
    return _of_integrity(signature_outcome(verdict, signature)) or of_document or _of_trust(signature)


def _of_integrity(outcome: Outcome | None) -> Indication | None:
    if outcome is Outcome.CHANGED:
        return Indication(_INDETERMINATE, "SIG_CONSTRAINTS_FAILURE")
    return Indication(_INDETERMINATE, "GENERIC") if outcome is Outcome.UNREADABLE else None


def _of_trust(signature: SignatureVerdict) -> Indication:
    if not signature.trusted:
        reason = said_by(signature.values, "trust_reason")
        sub = _OF_UNTRUSTED.get(reason.code if reason else "", "CERTIFICATE_CHAIN_GENERAL_FAILURE")
        return Indication(_INDETERMINATE, sub)
    if signature.strength is Strength.WEAK:
        is_proven = signature.time_source is TimeSource.TIME_STAMP
        sub = "CRYPTO_CONSTRAINTS_FAILURE" if is_proven else "CRYPTO_CONSTRAINTS_FAILURE_NO_POE"
        return Indication(_INDETERMINATE, sub)
    if signature.revocation is None or signature.revocation.status is RevocationStatus.UNKNOWN:
        return Indication(_INDETERMINATE, "TRY_LATER")
    return Indication(_PASSED)
