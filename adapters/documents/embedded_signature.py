"""A signature in a PDF, with the kind that its `/SubFilter` gives it."""

from typing import Any

from asn1crypto.core import VOID
from pyhanko.pdf_utils.generic import NameObject
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.utils import extract_message_digest

from adapters.documents.algorithms import Algorithm, CannotCompute, algorithm_of, hash_named
from adapters.documents.pdf_document import entry

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

    def require_computable(self) -> None:
        """Raises:
        CannotCompute: digest or algorithm is not known here.
        """
        hash_named(self.md_algorithm)
        hash_named(self.external_md_algorithm)
        self.algorithm()

    def algorithm(self) -> Algorithm:
        """Return the algorithm of the signature.

        Raises:
            CannotCompute: it is not known here.
        """
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
