"""Judges whether a signature's certificate is to be trusted or was revoked at a time, and says why not."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from asn1crypto import ocsp, x509
from pyhanko.sign.ades.report import AdESIndeterminate
from pyhanko_certvalidator import ValidationContext, find_valid_path
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
from adapters.documents.trust.trust_lists import Listed, best
from models.archive.verdict import Revocation, RevocationStatus, Tier, Wanted
from models.said import Said, Sentence, because

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
    why = Sentence.old_revocation_data() if answers else Sentence.no_revocation_data()
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


_UNTRUSTED = Sentence.untrusted_root()
_REASONS = {
    AdESIndeterminate.NO_CERTIFICATE_CHAIN_FOUND: _UNTRUSTED,
    AdESIndeterminate.OUT_OF_BOUNDS_NO_POE: Sentence.invalid_then(),
    AdESIndeterminate.EXPIRED: Sentence.expired_then(),
    AdESIndeterminate.NOT_YET_VALID: Sentence.not_valid_yet(),
    AdESIndeterminate.CRYPTO_CONSTRAINTS_FAILURE: Sentence.weak_algorithm(),
    AdESIndeterminate.CHAIN_CONSTRAINTS_FAILURE: Sentence.not_for_this_use(),
}


@dataclass(frozen=True, slots=True)
class Trust:
    """Whether a certificate is trusted. `why` it is not, or why that is unknown."""

    trusted: bool | None
    why: Said | None
    revocation: Revocation | None


async def trust_in(status: Any, evidence: Evidence, roots: Sequence[x509.Certificate] | None, moment: Moment) -> Trust:
    """Return whether the certificate of a signature is trusted at a moment.

    Args:
        status: pyHanko's status of the signature or time stamp, judged at that moment without revocation.
        roots: Trusted certificates; None if trust is not judged, since none are configured.
    """
    if roots is None:
        why = Sentence.no_roots_for_revocation()
        return Trust(None, Sentence.no_roots(), Revocation(RevocationStatus.UNKNOWN, **because(reason=why)))
    if not status.trusted:
        why = _REASONS.get(status.trust_problem_indic, _UNTRUSTED)
        if not (status.intact and status.valid):
            why = Sentence.not_valid()
        untrusted = because(reason=Sentence.certificate_untrusted())
        return Trust(False, why, Revocation(RevocationStatus.UNKNOWN, **untrusted))
    try:
        revocation = await revocation_of(status.validation_path, evidence, roots, moment)
        if await is_issuer_revoked(status.validation_path, evidence, roots, moment):
            return Trust(False, Sentence.issuer_revoked(), revocation)
    except (MemoryError, RecursionError):
        raise
    except Exception:  # noqa: BLE001 -- an OCSP answer or CRL may be crafted to make asn1crypto raise any exception
        revocation = Revocation(RevocationStatus.UNKNOWN, **because(reason=Sentence.revocation_unreadable()))
    return _trust(status.validation_path.last, revocation, moment)


async def tier_of(
    certificate: x509.Certificate, others: Sequence[x509.Certificate], listed: Sequence[Listed], at: datetime
) -> Tier:
    """Return the tier that the lists give to a certificate that was used at a time.

    Each listed authority is tried on its own: a certificate may lie below two authorities of different tiers.
    """
    active = [each for each in listed if each.is_active(at) and each.confers(certificate)]
    return best([each.confers(certificate) for each in active if await _leads_to(each, certificate, others, at)])


async def _leads_to(
    authority: Listed, certificate: x509.Certificate, others: Sequence[x509.Certificate], at: datetime
) -> bool:
    if certificate.issuer != authority.certificate.subject and not others:
        return False
    context = context_at(at, [authority.certificate], others)
    paths = context.path_builder.async_build_paths_lazy(certificate)
    try:
        await find_valid_path(certificate, paths, validation_context=context)
    except (PathError, ValidationError, ValueError):
        return False
    return True


def _trust(certificate: x509.Certificate, revocation: Revocation, moment: Moment) -> Trust:
    if revocation.status is RevocationStatus.REVOKED:
        if revocation.revoked_at and revocation.revoked_at <= moment.at:
            return Trust(False, Sentence.revoked_before(), revocation)
        return Trust(None, Sentence.revoked_unproven(), revocation)
    if not moment.is_proven and certificate.not_valid_after < moment.known:
        return Trust(None, Sentence.expired_unproven(), revocation)
    return Trust(True, None, revocation)


_MOST_URLS = 4
"""Of a certificate. An authority names one or two."""


def wanted_for(path: ValidationPath) -> list[Wanted]:
    """Return what to fetch for each certificate below the root of a trusted path.

    Only authorities below a trusted root name the addresses: a document alone cannot.
    """
    found: list[Wanted] = []
    with suppress(ValueError, TypeError, KeyError, LookupError):  # a damaged certificate
        for certificate in path.iter_certs(include_root=False):
            issuer = getattr(path.find_issuing_authority(certificate), "certificate", None)
            if issuer is not None:
                found += _for(certificate, issuer)
    return list(dict.fromkeys(found))


def _for(certificate: x509.Certificate, issuer: x509.Certificate) -> Iterator[Wanted]:
    for url in certificate.ocsp_urls[:_MOST_URLS]:
        yield Wanted(url, _request(certificate, issuer).hex())
    for point in certificate.crl_distribution_points[:_MOST_URLS]:
        if point.url:
            yield Wanted(point.url)


def _request(certificate: x509.Certificate, issuer: x509.Certificate) -> bytes:
    """Return an OCSP request without a nonce, since authorities answer from answers that they made before."""
    asked = {
        "hash_algorithm": {"algorithm": "sha1"},
        "issuer_name_hash": certificate.issuer.sha1,
        "issuer_key_hash": issuer.public_key.sha1,
        "serial_number": certificate.serial_number,
    }
    request = ocsp.OCSPRequest({"tbs_request": {"request_list": [{"req_cert": asked}]}})
    return bytes(request.dump())
