"""Judges whether a signature's certificate is to be trusted, and says why not."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asn1crypto import ocsp, x509
from pyhanko.sign.ades.report import AdESIndeterminate
from pyhanko_certvalidator import find_valid_path
from pyhanko_certvalidator.errors import PathError, ValidationError
from pyhanko_certvalidator.path import ValidationPath

from adapters.documents.trust.evidence import Evidence
from adapters.documents.trust.revocation import Moment, context_at, is_issuer_revoked, revocation_of
from adapters.documents.trust.trust_lists import Listed, best
from models.archive.verdict import Revocation, RevocationStatus, Tier, Wanted
from models.said import Said, Sentence, because

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
        why = Sentence.revocation_unreadable()
        revocation = Revocation(RevocationStatus.UNKNOWN, **because(reason=why))
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
        why = Sentence.revoked_unproven()
        return Trust(None, why, revocation)
    if not moment.is_proven and certificate.not_valid_after < moment.known:
        why = Sentence.expired_unproven()
        return Trust(None, why, revocation)
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
