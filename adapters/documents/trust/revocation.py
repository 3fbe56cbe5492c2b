"""Judges whether a certificate was revoked at a time, by OCSP answers and CRLs."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from asn1crypto import x509
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.errors import (
    CRLValidationError,
    OCSPValidationError,
    PathError,
    RevokedError,
    ValidationError,
)
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.revinfo.validate_crl import verify_crl
from pyhanko_certvalidator.revinfo.validate_ocsp import verify_ocsp_response

from adapters.documents.trust.algorithms import Policy, Validator
from adapters.documents.trust.evidence import Evidence
from models.archive.verdict import Revocation, RevocationStatus
from models.said import Sentence, because

_UNUSABLE = (CRLValidationError, OCSPValidationError, ValidationError, PathError, ValueError, TypeError, KeyError)
_SECOND = timedelta(seconds=1)
_CLOCKS_DIFFER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Moment:
    """The time at which a certificate was used.

    `is_proven`: a trusted time stamp says so. Otherwise the certificate may have been used at any time until `known`,
    the time at which the document arrived.
    """

    at: datetime
    known: datetime
    is_proven: bool


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one OCSP answer or CRL says. `until`: the time at which a newer one is due."""

    source: str
    said_at: datetime
    until: datetime | None
    revoked_at: datetime | None


def context_at(
    moment: datetime, roots: Sequence[x509.Certificate], certificates: Sequence[x509.Certificate], **evidence: Any
) -> ValidationContext:
    """Return how pyHanko is to judge certificates at a time. It fetches nothing."""
    return ValidationContext(
        trust_roots=roots,
        other_certs=certificates,
        moment=moment,
        allow_fetching=False,
        retroactive_revinfo=True,
        algorithm_usage_policy=Policy(),  # type: ignore[no-untyped-call]
        signature_validator=Validator(),
        **evidence,
    )


async def revocation_of(
    path: ValidationPath, evidence: Evidence, roots: Sequence[x509.Certificate], moment: Moment
) -> Revocation:
    """Return whether the certificate at the end of a path was revoked when it was used.

    A revocation after the proven time of use does not count, and neither does one after the document arrived.
    """
    answers = [each async for each in _answers(path, evidence, roots) if each.said_at <= moment.known + _CLOCKS_DIFFER]
    latest = moment.at if moment.is_proven else moment.known
    revoked = [each for each in answers if each.revoked_at and each.revoked_at <= latest]
    if revoked:
        first = min(revoked, key=lambda each: (each.revoked_at, each.said_at))
        return Revocation(RevocationStatus.REVOKED, first.source, first.said_at, first.revoked_at)
    usable = [each for each in answers if each.revoked_at or moment.at <= (each.until or each.said_at) + _SECOND]
    if usable:
        last = max(usable, key=lambda each: each.said_at)
        return Revocation(RevocationStatus.GOOD, last.source, last.said_at, last.revoked_at)
    why = Sentence.no_revocation_data()
    if answers:
        why = Sentence.old_revocation_data()
    return Revocation(RevocationStatus.UNKNOWN, **because(reason=why))


async def is_issuer_revoked(
    path: ValidationPath, evidence: Evidence, roots: Sequence[x509.Certificate], moment: Moment
) -> bool:
    """Return whether a certificate between the root and the end of the path was revoked."""
    above = path
    while above.pkix_len > 1:
        above = above.copy_and_drop_leaf()
        if (await revocation_of(above, evidence, roots, moment)).status is RevocationStatus.REVOKED:
            return True
    return False


async def _answers(
    path: ValidationPath, evidence: Evidence, roots: Sequence[x509.Certificate]
) -> AsyncIterator[_Answer]:
    """Yield what each OCSP answer and each CRL says of the certificate, if its own signature and issuer are right.

    Each is judged at its own time: whether it was new enough for the signature is decided later.
    """
    certificate = path.last
    for answer in evidence.answers:
        single: Any = answer.extract_single_response()
        if single is not None and single["cert_id"]["serial_number"].native == certificate.serial_number:
            said_at, until = single["this_update"].native, single["next_update"].native
            context = context_at(said_at + _SECOND, roots, evidence.certificates, ocsps=[answer])
            found = await _said("ocsp", verify_ocsp_response(certificate, path, context), said_at, until)
            if found:
                yield found
    for crl in evidence.crls:
        if crl.crl_data.issuer == certificate.issuer:
            listed = crl.crl_data["tbs_cert_list"]
            said_at, until = listed["this_update"].native, listed["next_update"].native
            context = context_at(said_at + _SECOND, roots, evidence.certificates, crls=[crl])
            found = await _said("crl", verify_crl(certificate, path, context), said_at, until)
            if found:
                yield found


async def _said(source: str, check: Any, said_at: datetime, until: datetime | None) -> _Answer | None:
    try:
        await check
    except RevokedError as error:
        if error.is_side_validation:  # the certificate of the answer's own signer
            return None
        return _Answer(source, said_at, until, error.revocation_dt)
    except _UNUSABLE:
        return None
    return _Answer(source, said_at, until, None)
