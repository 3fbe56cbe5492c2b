# mypy: disable-error-code="no-untyped-call"
"""Signs PDFs with unusual algorithms and certificates, which pyHanko makes only with help."""

import asyncio
import hashlib
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from typing import Any

from asn1crypto import algos, core, keys
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.signers import PdfSignatureMetadata, Signer, sign_pdf
from pyhanko_certvalidator.registry import SimpleCertificateStore

from tests import pdfs

Sign = Callable[[bytes], bytes]


def certificate_of(
    key: Any, name: str = pdfs.SIGNER_NAME, extensions: tuple[x509.ExtensionType, ...] = ()
) -> asn1.Certificate:
    """Return a signer's certificate of the authority "Test root" for any kind of key."""
    issuer = pdfs.authority()
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(pdfs.NOW - timedelta(days=30))
        .not_valid_after(pdfs.NOW + timedelta(days=365))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    made = builder.sign(issuer.private_key, hashes.SHA256())
    return asn1.Certificate.load(made.public_bytes(Encoding.DER))


def without_leading_zero(certificate: asn1.Certificate) -> asn1.Certificate:
    """Return the certificate with the zero byte in front of its modulus forgotten, signed again by its authority."""
    tbs = certificate["tbs_certificate"].copy()
    info = tbs["subject_public_key_info"]
    key = info["public_key"].parsed
    modulus = key["modulus"].native
    negative = modulus - (1 << modulus.bit_length())
    exponent = key["public_exponent"].native
    pair = core.SequenceOf([core.Integer(negative), core.Integer(exponent)], spec=core.Integer).dump()
    tbs["subject_public_key_info"] = {"algorithm": info["algorithm"], "public_key": keys.RSAPublicKey.load(pair)}
    authority = pdfs.authority().private_key
    assert isinstance(authority, ec.EllipticCurvePrivateKey)
    value = authority.sign(tbs.dump(force=True), ec.ECDSA(hashes.SHA256()))
    return asn1.Certificate(
        {
            "tbs_certificate": tbs,
            "signature_algorithm": certificate["signature_algorithm"],
            "signature_value": value,
        }
    )


def mechanism(identifier: str, parameters: Any = None) -> algos.SignedDigestAlgorithm:
    found = {"algorithm": identifier}
    return algos.SignedDigestAlgorithm(found | ({"parameters": parameters} if parameters is not None else {}))


def signed(
    pdf: bytes,
    certificate: asn1.Certificate,
    algorithm: algos.SignedDigestAlgorithm,
    sign: Sign,
    *,
    digest: str = "sha256",
    field: str = "First",
    **metadata: Any,
) -> bytes:
    """Sign a PDF by a function that makes the value of the signature."""
    signer = _AnySigner(certificate, algorithm, sign)
    about = PdfSignatureMetadata(field_name=field, md_algorithm=digest, **metadata)
    output: BytesIO = sign_pdf(IncrementalPdfFileWriter(BytesIO(pdf)), about, signer, bytes_reserved=16384)
    return output.getvalue()


def stamped_again(pdf: bytes, written: bytes, instead: bytes) -> bytes:
    """Replace bytes that a document time stamp covers, and have the document stamped again."""
    changed = pdf.replace(written, instead.ljust(len(written)))
    assert changed != pdf
    start, end = pdfs.value_range(changed)
    digest = hashlib.sha256(changed[: start - 1] + changed[end + 1 :]).digest()
    token = asyncio.run(pdfs.time_stamper().async_timestamp(digest, "sha256"))
    value: bytes = token.dump().hex().encode().ljust(end - start, b"0")
    return changed[:start] + value + changed[end:]


class _AnySigner(Signer):
    def __init__(self, certificate: asn1.Certificate, algorithm: algos.SignedDigestAlgorithm, sign: Sign) -> None:
        self._sign = sign
        registry = SimpleCertificateStore()
        registry.register(asn1.Certificate.load(pdfs.authority().certificate.public_bytes(Encoding.DER)))
        super().__init__(signing_cert=certificate, signature_mechanism=algorithm, cert_registry=registry)

    async def async_sign_raw(self, data: bytes, _digest_algorithm: str, dry_run: bool = False) -> bytes:
        return self._sign(data)
