"""Names what an authority must be asked to learn whether the certificates of a signature were revoked."""

from collections.abc import Iterator
from contextlib import suppress

from asn1crypto import ocsp, x509
from pyhanko_certvalidator.path import ValidationPath

from models.archive.wanted import Wanted

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
