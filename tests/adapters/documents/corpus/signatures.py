# mypy: disable-error-code="no-untyped-call"
"""Signs by pyHanko."""

from collections.abc import Callable, Mapping
from functools import partial
from io import BytesIO
from typing import Any

from pyhanko.pdf_utils.generic import DictionaryObject, NameObject
from pyhanko.sign.fields import (
    FieldMDPAction,
    FieldMDPSpec,
    MDPPerm,
    SigFieldSpec,
    SigSeedSubFilter,
    append_signature_field,
)
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, PdfTimeStamper
from pyhanko.sign.signers.pdf_signer import PdfSigningSession
from pyhanko.sign.validation import DocumentSecurityStore

from tests.adapters.documents.corpus.clock import SIGNED_AT
from tests.adapters.documents.corpus.identities import pyhanko_signer, signer, time_stamper
from tests.adapters.documents.corpus.writing import Writer, field
from tests.pdfs import updated, writer_of

_DIGITS = 8192
_PADES = SigSeedSubFilter.PADES


class _Punctual(PdfSigner):
    """A signer whose clock stands still."""

    def init_signing_session(self, *args: Any, **options: Any) -> PdfSigningSession:
        session = super().init_signing_session(*args, **options)
        session.system_time = SIGNED_AT
        return session

    def _enforce_certification_constraints(self, reader: Any) -> None:
        """Sign also what a certification forbids to sign."""


def signed(  # noqa: PLR0913 -- each is a kind of signature
    pdf: bytes,
    name: str = "First",
    *,
    by: str = "ec",
    digest: str = "sha256",
    is_pss: bool = False,
    certify: MDPPerm | None = None,
    lock: FieldMDPSpec | None = None,
    is_stamped: bool = False,
    is_pades: bool = False,
    box: tuple[int, int, int, int] | None = None,
) -> bytes:
    writer = writer_of(pdf)
    if lock or box:
        append_signature_field(writer, SigFieldSpec(name, field_mdp_spec=lock, box=box))
    metadata = PdfSignatureMetadata(
        field_name=name,
        md_algorithm=digest,
        certify=certify is not None,
        docmdp_permissions=certify or MDPPerm.FILL_FORMS,
        subfilter=_PADES if is_pades else None,
    )
    stamper = time_stamper() if is_stamped else None
    tool = _Punctual(metadata, pyhanko_signer(by, is_pss=is_pss), timestamper=stamper)
    output = BytesIO()
    tool.sign_pdf(writer, output=output, bytes_reserved=2 * _DIGITS if is_stamped else _DIGITS)
    return output.getvalue()


def time_stamped(pdf: bytes) -> bytes:
    output: BytesIO = PdfTimeStamper(time_stamper()).timestamp_pdf(writer_of(pdf), "sha256", bytes_reserved=2 * _DIGITS)
    return output.getvalue()


def with_validation_data(pdf: bytes, *names: str) -> bytes:
    """Add a document security store with certificates, or add to the store that is there."""
    certificates = [signer(name).certificate for name in names or ("ec", "root")]
    value = _value(pdf)
    return updated(pdf, lambda writer: DocumentSecurityStore.supply_dss_in_writer(writer, value, certs=certificates))


def with_plain_validation_data(pdf: bytes) -> bytes:
    """Add a document security store without an entry for the signature (VRI)."""
    certificates = [signer("ec").certificate]
    return updated(pdf, lambda writer: DocumentSecurityStore.supply_dss_in_writer(writer, None, certs=certificates))


def _value(pdf: bytes) -> bytes:
    value: bytes = writer_of(pdf).prev.embedded_signatures[0].pkcs7_content
    return value


def locked(action: FieldMDPAction, fields: list[str] | None = None) -> FieldMDPSpec:
    return FieldMDPSpec(action, fields)


def with_signature_field(pdf: bytes) -> bytes:
    """Add an empty, invisible signature field."""
    return updated(pdf, lambda writer: append_signature_field(writer, SigFieldSpec("Later")))


def unsigned_again(pdf: bytes) -> bytes:
    """Remove the value of the first signature."""

    def remove(writer: Writer) -> None:
        del field(writer, "First")["/V"]

    return updated(pdf, remove)


def _with_version(pdf: bytes) -> bytes:
    def extend(writer: Writer) -> None:
        level = DictionaryObject({NameObject("/BaseVersion"): NameObject("/1.7")})
        writer.root["/Extensions"] = DictionaryObject({NameObject("/ADBE"): level})
        writer.update_root()

    return updated(pdf, extend)


STEPS: Mapping[str, Callable[[bytes], bytes]] = {
    "signed": signed,
    "signed in the empty field": partial(signed, name="Approval"),
    "signed visibly": partial(signed, box=(300, 40, 500, 80)),
    "signed by RSA": partial(signed, by="rsa"),
    "signed by RSA-PSS": partial(signed, by="rsa", is_pss=True),
    "signed by Ed25519": partial(signed, by="ed25519", digest="sha512"),
    "signed over SHA-1": partial(signed, digest="sha1"),
    "signed over SHA-384": partial(signed, digest="sha384"),
    "signed over SHA-512": partial(signed, digest="sha512"),
    "signed over SHA3-256": partial(signed, digest="sha3_256"),
    "signed by PAdES": partial(signed, is_pades=True),
    "signed with a time stamp": partial(signed, is_stamped=True),
    "signed by PAdES with a time stamp": partial(signed, is_pades=True, is_stamped=True),
    "signed by a stranger": partial(signed, by="stranger"),
    "signed again": partial(signed, name="Second"),
    "signed again over the text": partial(signed, name="Second", box=(60, 690, 400, 740)),
    "signed again by a stranger": partial(signed, name="Second", by="stranger"),
    "signed a third time": partial(signed, name="Third", by="rsa"),
    "certified 1": partial(signed, certify=MDPPerm.NO_CHANGES),
    "certified 2": partial(signed, certify=MDPPerm.FILL_FORMS),
    "certified 3": partial(signed, certify=MDPPerm.ANNOTATE),
    "signed, locking Remarks": partial(signed, lock=locked(FieldMDPAction.INCLUDE, ["Remarks"])),
    "signed, locking Re.marks": partial(signed, lock=locked(FieldMDPAction.INCLUDE, ["Re.marks"])),
    "signed, locking Amount": partial(signed, lock=locked(FieldMDPAction.INCLUDE, ["Amount"])),
    "signed, locking all but Remarks": partial(signed, lock=locked(FieldMDPAction.EXCLUDE, ["Remarks"])),
    "signed, locking all but Amount.1": partial(signed, lock=locked(FieldMDPAction.EXCLUDE, ["Amount.1"])),
    "signed, locking all": partial(signed, lock=locked(FieldMDPAction.ALL)),
    "document time stamp": time_stamped,
    "validation data": with_validation_data,
    "validation data without VRI": with_plain_validation_data,
    "more validation data": lambda pdf: with_validation_data(pdf, "time", "rsa"),
    "empty signature field added": with_signature_field,
    "extension level added": _with_version,
    "signature removed": unsigned_again,
}
