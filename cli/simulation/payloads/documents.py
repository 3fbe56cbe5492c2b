"""Files as people attach them, the signed documents of processes, and the ways in which senders write base64."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from io import BytesIO

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12
from pyhanko.pdf_utils.generic import DictionaryObject, NameObject, PdfObject, StreamObject
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.writer import PageObject, PdfFileWriter
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.signers import PdfSignatureMetadata, SimpleSigner, sign_pdf


@dataclass(frozen=True)
class Document:
    filename: str
    media_type: str
    content: bytes


def shipped(name: str, filename: str, media_type: str) -> Document:
    """Return a file that comes with cellar, under the name that a person gave it."""
    return Document(filename, media_type, files(__package__).joinpath("files", name).read_bytes())


def scan(filename: str) -> Document:
    return shipped("scan.jpg", filename, "image/jpeg")


def photo(filename: str) -> Document:
    return shipped("photo.png", filename, "image/png")


def plain_text(filename: str, lines: Sequence[str]) -> Document:
    return Document(filename, "text/plain", "".join(f"{line}\r\n" for line in lines).encode())


def standard(document: Document) -> str:
    return base64.b64encode(document.content).decode()


def url_safe_unpadded(document: Document) -> str:
    """Return base64 with `-` and `_` in place of `+` and `/`, without `=` at the end (RFC 4648, section 5)."""
    return base64.urlsafe_b64encode(document.content).decode().rstrip("=")


def data_uri(document: Document) -> str:
    return f"data:{document.media_type};base64,{standard(document)}"


_A4_POINTS = (0, 0, 595, 842)
_LINES_PER_PAGE = 38
_SIGNATURE_HEX_DIGITS = 8192  # more than enough; without it, pyHanko would sign twice to measure the signature
_SIGNATURES_ONLY = x509.KeyUsage(
    digital_signature=True, content_commitment=True, key_encipherment=False, data_encipherment=False,
    key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
)  # fmt: skip
_PEN_STROKE = "1.4 w 380 96 m 400 150 410 40 425 100 c 435 140 440 70 455 98 c 470 120 480 80 515 110 c S"


def pdf(title: str, pages: Sequence[Sequence[str]]) -> bytes:
    """Return a PDF with an A4 page per element of `pages`, which are lines of text in Helvetica.

    The last page has the stroke of a pen as a signature. Letters outside Windows-1252 become question marks.
    """
    writer = PdfFileWriter()  # type: ignore[no-untyped-call]
    for number, lines in enumerate(pages, start=1):
        content = _page_content(f"{title} ({number}/{len(pages)})", lines, signed_here=number == len(pages))
        contents = writer.add_object(StreamObject(stream_data=content))
        resources = _dictionary({"/Font": _dictionary({"/F1": _helvetica()})})
        page = PageObject(contents, _A4_POINTS, resources)  # type: ignore[no-untyped-call]
        writer.insert_page(page)  # type: ignore[no-untyped-call]
    stream = BytesIO()
    writer.write(stream)  # type: ignore[no-untyped-call]
    return stream.getvalue()


def signed_pdf(title: str, pages: Sequence[Sequence[str]]) -> bytes:
    """Return the PDF that `pdf` makes, with a certification signature that allows no changes (DocMDP level 1).

    The time of signing is the current time. pyHanko starts its own event loop, so this cannot be called inside a loop.
    """
    writer = IncrementalPdfFileWriter(BytesIO(pdf(title, pages)))
    metadata = PdfSignatureMetadata(
        field_name="CELLOSIGN",
        reason="Signed and locked",
        location="Simulation",
        md_algorithm="sha256",
        certify=True,
        docmdp_permissions=MDPPerm.NO_CHANGES,
    )
    signed: BytesIO = sign_pdf(writer, metadata, _signer(), bytes_reserved=_SIGNATURE_HEX_DIGITS)
    return signed.getvalue()


def _helvetica() -> DictionaryObject:
    names = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica", "/Encoding": "/WinAnsiEncoding"}
    return _dictionary({key: NameObject(name) for key, name in names.items()})


def _dictionary(entries: dict[str, PdfObject]) -> DictionaryObject:
    return DictionaryObject(entries)  # type: ignore[no-untyped-call]


def _page_content(heading: str, lines: Sequence[str], *, signed_here: bool) -> bytes:
    text = " ".join(f"({_escaped(line)}) Tj T*" for line in lines[:_LINES_PER_PAGE])
    stroke = _PEN_STROKE if signed_here else ""
    content = f"BT /F1 18 Tf 56 780 Td ({_escaped(heading)}) Tj /F1 11 Tf 0 -36 Td 16 TL {text} ET {stroke}"
    return content.encode("cp1252", errors="replace")


def _escaped(line: str) -> str:
    return line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


@cache
def _signer() -> SimpleSigner:
    private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    certificate = _self_signed(private_key)
    bundle = pkcs12.serialize_key_and_certificates(None, private_key, certificate, None, NoEncryption())
    signer: SimpleSigner = SimpleSigner.load_pkcs12_data(bundle, other_certs=[])
    return signer


def _self_signed(private_key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name.from_rfc4514_string("O=cellar simulate\\, throwaway key,CN=Simulated signing service")
    today = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=3650))
        .add_extension(_SIGNATURES_ONLY, critical=True)
        .sign(private_key, hashes.SHA256())
    )
