# mypy: disable-error-code="no-untyped-call"
"""A certificate authority that revokes: it makes OCSP answers and CRLs, and puts them into PDFs."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

from asn1crypto import crl as asn1_crl
from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import pdf as asn1_pdf
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.signers import PdfSignatureMetadata, SimpleSigner, sign_pdf
from pyhanko.sign.validation import DocumentSecurityStore

from tests import pdfs


def answer(
    about: pdfs.Identity, at: datetime, *, revoked_at: datetime | None = None, days: int = 7, by: str = "Test root"
) -> bytes:
    """Return an OCSP answer of the authority named `by`."""
    issuer = pdfs.authority(by)
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=about.certificate,
        issuer=issuer.certificate,
        algorithm=hashes.SHA1(),
        cert_status=ocsp.OCSPCertStatus.REVOKED if revoked_at else ocsp.OCSPCertStatus.GOOD,
        this_update=at,
        next_update=at + timedelta(days=days),
        revocation_time=revoked_at,
        revocation_reason=x509.ReasonFlags.key_compromise if revoked_at else None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, issuer.certificate)
    return builder.sign(issuer.private_key, hashes.SHA256()).public_bytes(Encoding.DER)


def crl(
    at: datetime, revoked: Sequence[tuple[pdfs.Identity, datetime]] = (), *, days: int = 7, by: str = "Test root"
) -> bytes:
    """Return a list of revoked certificates of the authority named `by`."""
    issuer = pdfs.authority(by)
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    builder = builder.last_update(at).next_update(at + timedelta(days=days))
    for owner, moment in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(owner.certificate.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(moment).build())
    return builder.sign(issuer.private_key, hashes.SHA256()).public_bytes(Encoding.DER)


def with_evidence(pdf: bytes, *, answers: Sequence[bytes] = (), crls: Sequence[bytes] = ()) -> bytes:
    """Add a document security store with OCSP answers and CRLs."""
    output = BytesIO(pdf)
    DocumentSecurityStore.add_dss(
        output,
        None,
        ocsps=[asn1_ocsp.OCSPResponse.load(each) for each in answers],
        crls=[asn1_crl.CertificateList.load(each) for each in crls],
        force_write=True,
    )
    return output.getvalue()


def signed_with_archival(pdf: bytes, signer: SimpleSigner, answers: Sequence[bytes], crls: Sequence[bytes]) -> bytes:
    """Sign a PDF with OCSP answers and CRLs in Adobe's attribute."""

    class Archiving(SimpleSigner):
        async def signed_attrs(self, *arguments: Any, **options: Any) -> Any:
            attributes = await super().signed_attrs(*arguments, **options)
            value = asn1_pdf.RevocationInfoArchival(
                {
                    "ocsp": [asn1_ocsp.OCSPResponse.load(each) for each in answers],
                    "crl": [asn1_crl.CertificateList.load(each) for each in crls],
                }
            )
            attributes.append({"type": "adobe_revocation_info_archival", "values": [value]})
            return attributes

    archiving = Archiving(signer.signing_cert, signer.signing_key, signer.cert_registry)
    output: BytesIO = sign_pdf(
        IncrementalPdfFileWriter(BytesIO(pdf)),
        PdfSignatureMetadata(field_name="First"),
        archiving,
        bytes_reserved=16384,
    )
    return output.getvalue()
