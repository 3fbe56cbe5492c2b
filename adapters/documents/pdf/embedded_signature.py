"""A signature in a PDF, with the kind that its `/SubFilter` gives it."""

import re
from contextlib import suppress
from datetime import datetime
from typing import Any

from asn1crypto.core import VOID
from pyhanko.pdf_utils.generic import DictionaryObject, IndirectObject, NameObject, parse_pdf_date
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.generic_cms import extract_self_reported_ts
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.utils import extract_message_digest

from adapters.documents.pdf.document import DAMAGES, Document, entry, signature_values
from adapters.documents.trust.algorithms import Algorithm, CannotCompute, algorithm_of, hash_named

TIME_STAMP = "/DocTimeStamp"
_RFC_3161 = "/ETSI.RFC3161"


class Signature(EmbeddedPdfSignature):
    """A signature or a document time stamp. Writers often give time stamps the type `/Sig`, or none.

    ISO 32000-2, 12.8.5: a document time stamp has the `/SubFilter` ETSI.RFC3161.
    """

    @property
    def sig_object_type(self) -> NameObject:
        return NameObject(TIME_STAMP if self.is_time_stamp else "/Sig")

    @property
    def is_time_stamp(self) -> bool:
        return bool(entry(self.sig_object, "/SubFilter") == _RFC_3161)

    @property
    def self_reported_timestamp(self) -> datetime | None:
        """Return the time that the signer states, None if it cannot be read. LibreOffice writes `Z'` for UTC."""
        with suppress(*DAMAGES):
            stated: datetime | None = extract_self_reported_ts(self.signer_info)
            return stated or parse_pdf_date(re.sub("Z.*", "Z", self.sig_object["/M"]), strict=False)
        return None

    def require_computable(self) -> None:
        """Raises:
        CannotCompute: digest or algorithm is not known here.
        """
        hash_named(self.md_algorithm)
        hash_named(self.external_md_algorithm)
        self.algorithm()

    def algorithm(self) -> Algorithm:
        """Return the algorithm of the signature. Raises CannotCompute if it is not known here."""
        return algorithm_of(self.signer_info["signature_algorithm"], self.signer_cert.public_key, self.md_algorithm)

    def digest_matches(self) -> bool | None:
        """Return whether the covered bytes have the signed digest. None if that cannot be computed by itself."""
        if self.is_time_stamp or self.signer_info["signed_attrs"] is VOID:
            return None
        try:
            hash_named(self.md_algorithm)
        except CannotCompute:
            return None
        expected: Any = extract_message_digest(self.signer_info)
        return bool(self.compute_digest() == expected)


def signature_in(document: Document, field: DictionaryObject, name: str) -> Signature:
    """Return the signature of a field, also one that its field holds directly, at which pyHanko stops."""
    if isinstance(field.raw_get("/V"), IndirectObject):
        return Signature(document.reader, field, name)
    held = _Held(dict(field["/V"]))  # type: ignore[no-untyped-call]
    held.container_ref = field["/V"].container_ref
    holder = DictionaryObject(dict(field))  # type: ignore[no-untyped-call]
    holder.container_ref = field.container_ref
    holder["/V"] = held
    signature = Signature(document.reader, holder, name)
    signature.signed_revision = _first_revision_with(document.reader, name, signature.pkcs7_content)
    return signature


class _Held(DictionaryObject):
    """A dictionary that its owner holds directly. It has the reference of its owner."""

    @property
    def reference(self) -> Any:
        return self.container_ref


def _first_revision_with(reader: PdfFileReader, name: str, value: bytes) -> int:
    for revision in range(reader.total_revisions - 1):
        with suppress(*DAMAGES):
            if (name, value) in signature_values(reader.get_historical_resolver(revision)):
                return revision
    return int(reader.total_revisions) - 1
