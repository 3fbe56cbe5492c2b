# mypy: disable-error-code="no-untyped-call"
"""Makes signature values (CMS), also in algorithms and shapes that pyHanko does not make."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from asn1crypto import algos, cms, core
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding

from tests.adapters.documents.corpus.clock import SIGNED_AT
from tests.adapters.documents.corpus.identities import Signer, signer

_HASHES: Mapping[str, Callable[[], hashes.HashAlgorithm]] = {
    "sha1": hashes.SHA1,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
    "sha3_256": hashes.SHA3_256,
}
_RSA_WITH_SHA3_256 = "2.16.840.1.101.3.4.3.14"


def signature_value(
    data: bytes, by: str, digest: str, *, has_attributes: bool = True, says_digest: bool = False
) -> bytes:
    """Sign data. `says_digest`: the algorithm of the signature names the digest too, as `sha256WithRSAEncryption`."""
    owner, value = signer(by), hashlib.new(digest, data).digest()
    attributes = _attributes(value, owner, digest) if has_attributes else None
    signed_bytes = attributes.dump() if attributes else data
    info: dict[str, Any] = {
        "version": "v1",
        "sid": cms.SignerIdentifier(
            {
                "issuer_and_serial_number": cms.IssuerAndSerialNumber(
                    {"issuer": owner.certificate.issuer, "serial_number": owner.certificate.serial_number}
                )
            }
        ),
        "digest_algorithm": algos.DigestAlgorithm({"algorithm": digest}),
        "signature_algorithm": _algorithm(owner, digest, says_digest=says_digest),
        "signature": _signed(owner, signed_bytes, digest),
    }
    if attributes:
        info["signed_attrs"] = attributes
    return enclosed(info, owner, digest)


def enclosed(info: dict[str, Any], owner: Signer, digest: str, content: dict[str, Any] | None = None) -> bytes:
    certificates = [owner.certificate, signer("root").certificate]
    data = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [algos.DigestAlgorithm({"algorithm": digest})],
            "encap_content_info": content or {"content_type": "data"},
            "certificates": certificates,
            "signer_infos": [cms.SignerInfo(info)],
        }
    )
    dumped: bytes = cms.ContentInfo({"content_type": "signed_data", "content": data}).dump()
    return dumped


def _attributes(digest_value: bytes, owner: Signer, digest: str) -> cms.CMSAttributes:
    return cms.CMSAttributes(
        [
            cms.CMSAttribute({"type": "content_type", "values": ["data"]}),
            cms.CMSAttribute({"type": "signing_time", "values": [cms.Time({"utc_time": core.UTCTime(SIGNED_AT)})]}),
            cms.CMSAttribute({"type": "message_digest", "values": [digest_value]}),
        ]
    )


def _algorithm(owner: Signer, digest: str, *, says_digest: bool) -> algos.SignedDigestAlgorithm:
    key = owner.private_key
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return algos.SignedDigestAlgorithm({"algorithm": f"{digest}_ecdsa"})
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return algos.SignedDigestAlgorithm({"algorithm": "ed25519"})
    named = _RSA_WITH_SHA3_256 if digest == "sha3_256" else f"{digest}_rsa"
    return algos.SignedDigestAlgorithm(
        {"algorithm": named if says_digest else "rsassa_pkcs1v15", "parameters": core.Null()}
    )


def _signed(owner: Signer, data: bytes, digest: str) -> bytes:
    key = owner.private_key
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(_HASHES[digest]()))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    signed: bytes = key.sign(data, padding.PKCS1v15(), _HASHES[digest]())
    return signed
