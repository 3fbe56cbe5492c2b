"""Says what a verdict is in the terms of EN 319 102-1: a sub-indication for each signature, and its indication."""

from collections.abc import Mapping

from domain.archive.signed_document import signature_outcome
from models.archive.verdict import Coverage, Outcome, RevocationStatus, SignatureVerdict, Strength, TimeSource, Verdict
from models.said import said_by

_OF_DOCUMENT = {Outcome.CHANGED: "SIG_CONSTRAINTS_FAILURE", Outcome.UNREADABLE: "GENERIC"}
_FAILED = {"HASH_FAILURE", "SIG_CRYPTO_FAILURE", "FORMAT_FAILURE"}
_OF_UNTRUSTED: Mapping[str | None, str] = {
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
"""REVOKED and EXPIRED would claim that the signature was made after that. A time stamp shows only what came before."""


def indication(sub_indication: str | None) -> str:
    """Return the indication that a sub-indication belongs to, in lower case, without TOTAL. Pure."""
    return "failed" if sub_indication in _FAILED else "indeterminate" if sub_indication else "passed"


def sub_indications(verdict: Verdict) -> list[tuple[SignatureVerdict | None, str | None]]:
    """Return each signature with its sub-indication, None if it has passed. Pure.

    None passes if no signature accounts for a document that is changed or unreadable, as after a signature was removed.
    If such a document has no signature, it has one sub-indication itself. An unsigned document has none.
    """
    outcomes = {signature_outcome(verdict, each) for each in verdict.signatures}
    of_document = None if verdict.outcome in outcomes else _OF_DOCUMENT.get(verdict.outcome)
    if of_document and not verdict.signatures:
        return [(None, of_document)]
    return [(each, _integrity(verdict, each) or of_document or _trust(each)) for each in verdict.signatures]


def _integrity(verdict: Verdict, signature: SignatureVerdict) -> str | None:
    if signature.intact is False:
        return "HASH_FAILURE"
    if signature.valid is False:
        return "SIG_CRYPTO_FAILURE"
    if signature.coverage is Coverage.UNCLEAR:
        return "FORMAT_FAILURE"
    outcome = signature_outcome(verdict, signature)
    return _OF_DOCUMENT.get(outcome) if outcome else None


def _trust(signature: SignatureVerdict) -> str | None:
    if not signature.trusted:
        reason = said_by(signature.values, "trust_reason")
        return _OF_UNTRUSTED.get(reason.code if reason else None, "CERTIFICATE_CHAIN_GENERAL_FAILURE")
    if signature.strength is Strength.WEAK:
        unproven = "" if signature.time_source is TimeSource.TIME_STAMP else "_NO_POE"
        return f"CRYPTO_CONSTRAINTS_FAILURE{unproven}"
    status = signature.revocation and signature.revocation.status
    return "TRY_LATER" if status in (None, RevocationStatus.UNKNOWN) else None
