"""Asks time-stamp authorities (RFC 3161) to date a text: they get its digest, and sign it with the time."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import httpx
from asn1crypto import cms, core, tsp
from cryptography.x509 import load_der_x509_certificate, load_pem_x509_certificates
from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimeStampRequest,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from adapters.peers.addresses import bounded, proxy_to
from models.errors import Refused, Transient
from models.store.anchor import Digest

_TIMEOUT_S = 20
_LARGEST_BYTES = 1 << 20


def stamped(authority: str, text: bytes, roots: Sequence[Path], digest: Digest = Digest.SHA256) -> bytes:
    """Return the time stamp of an authority over a text, in DER, as it answered.

    Without root certificates, its signature is not checked, and a check with roots can still be made later.

    Raises Transient if the authority does not answer, or not as expected: its answers may be right again later.
    """
    request = TimestampRequestBuilder().data(text).hash_algorithm(HashAlgorithm[digest.name]).build()
    answer = _answered(authority, request.as_bytes())
    try:
        found = _decoded(answer)
        _check(found, request, text, roots)
    except (ValueError, TypeError, VerificationError) as error:
        raise Transient(f"the answer of the time-stamp authority {_host(authority)} is not valid: {error}") from error
    return answer


def stamped_at(token: bytes, text: bytes, roots: Sequence[Path]) -> tuple[datetime, datetime]:
    """Return the time of a time stamp over a text, and when the first of its certificates ends.

    Raises Refused if it is no time stamp over this text, or not by an authority below the root certificates.
    """
    try:
        found = _decoded(token)
        _check(found, None, text, roots)
        certificates = map(load_der_x509_certificate, found.signed_data.certificates)
        return found.tst_info.gen_time, min(each.not_valid_after_utc for each in certificates)
    except (ValueError, TypeError, VerificationError) as error:
        raise Refused("BAD_TIME_STAMP", f"the time stamp is not valid: {error}") from error


def _decoded(answer: bytes) -> TimeStampResponse:
    """Decode an answer. OpenSSL, and authorities built on it, leave the certificates in any order, which the decoder
    refuses. No signature covers their order.

    Raises ValueError if it is no answer of an authority.
    """
    loaded = tsp.TimeStampResp.load(answer)
    token = loaded["time_stamp_token"]
    certificates = core.Void() if isinstance(token, core.Void) else token["content"]["certificates"]
    if not isinstance(certificates, core.Void):
        in_order = sorted((each.chosen for each in certificates), key=lambda each: each.dump())
        token["content"]["certificates"] = cms.CertificateSet(
            [cms.CertificateChoices("certificate", each) for each in in_order]
        )
    return decode_timestamp_response(loaded.dump())


def _check(found: TimeStampResponse, request: TimeStampRequest | None, text: bytes, roots: Sequence[Path]) -> None:
    imprint = found.tst_info.message_imprint.message
    algorithm = HashAlgorithm.SHA512 if len(imprint) == 64 else HashAlgorithm.SHA256
    asked = request or TimestampRequestBuilder(nonce=False).data(text).hash_algorithm(algorithm).build()
    if found.status not in (PKIStatus.GRANTED, PKIStatus.GRANTED_WITH_MODS):
        raise VerificationError(f"its status is {found.status}, expected {PKIStatus.GRANTED}")
    if imprint != asked.message_imprint.message:
        raise VerificationError("it dates another text")
    if request and found.tst_info.nonce != request.nonce:
        raise VerificationError("it answers another request")
    certificates = [each for root in roots for each in load_pem_x509_certificates(root.read_bytes())]
    if certificates:
        VerifierBuilder(roots=certificates).build().verify_message(found, text)


def _answered(authority: str, request: bytes) -> bytes:
    headers = {"content-type": "application/timestamp-query", "user-agent": "cellar"}
    try:
        options = bounded(_LARGEST_BYTES, _TIMEOUT_S)
        with httpx.Client(proxy=proxy_to(authority), trust_env=False, **options) as client:
            answer = client.post(authority, content=request, headers=headers)
    except httpx.HTTPError as error:
        raise Transient(
            f"the time-stamp authority {_host(authority)} does not answer: {type(error).__name__}"
        ) from error
    if not answer.is_success:
        raise Transient(f"the time-stamp authority {_host(authority)} answered {answer.status_code}; expected 200")
    return answer.content


def _host(authority: str) -> str:
    """Return the authority's host: its URL may have a password."""
    return httpx.URL(authority).host
