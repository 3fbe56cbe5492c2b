"""Makes files as people attach them, each valid in its format, with the standard library alone.

Their contents become base64 in each of the ways in which senders write it. All of them must be accepted.
"""

import base64
import csv
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO
from random import Random
from xml.sax.saxutils import escape

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12
from pyhanko.pdf_utils.generic import DictionaryObject, NameObject, PdfObject, StreamObject
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.writer import PageObject, PdfFileWriter
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.signers import PdfSignatureMetadata, SimpleSigner, sign_pdf

_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_GREY_SQUARE = base64.b64decode(
    "/9j/4AAQSkZJRgABAQEAlgCWAAD/2wBDAAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI"
    "CAgICAj/wAALCAAIAAgBAREA/8QAHwAAAAAMAAAAAAAAAAAAAAAAAAECAwQFBgcICQoL/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQAAPwByb//Z"
)
_END_OF_JFIF, _SCAN_BYTES = 20, 3000


@dataclass(frozen=True)
class Document:
    filename: str
    media_type: str
    content: bytes


def png_photo(rng: Random, filename: str, *, width: int, height: int) -> Document:
    """Return a colour picture: a gradient with the noise of a sensor, so that it hardly compresses.

    Its size is about 2 × `width` × `height` bytes.
    """
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits a channel, RGB, not interlaced
    lights = [255 * row // height for row in range(height)]
    brightened = [bytes(min(255, light + noise // 4) for noise in range(256)) for light in lights]
    pixels = b"".join(b"\0" + rng.randbytes(3 * width).translate(each) for each in brightened)
    chunks = (_png_chunk(b"IHDR", header), _png_chunk(b"IDAT", zlib.compress(pixels, 1)), _png_chunk(b"IEND", b""))
    return Document(filename, "image/png", b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def jpeg_scan(rng: Random, filename: str) -> Document:
    """Return a JPEG of a grey square, with a comment of random bytes that gives it the size of a scan."""
    comment = rng.randbytes(_SCAN_BYTES)
    head, rest = _GREY_SQUARE[:_END_OF_JFIF], _GREY_SQUARE[_END_OF_JFIF:]
    return Document(filename, "image/jpeg", head + struct.pack(">BBH", 0xFF, 0xFE, 2 + len(comment)) + comment + rest)


def plain_text(filename: str, lines: Sequence[str]) -> Document:
    return Document(filename, "text/plain", "".join(f"{line}\r\n" for line in lines).encode())


def csv_table(filename: str, rows: Sequence[Sequence[object]]) -> Document:
    """Return a CSV with the byte order mark that spreadsheets need."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return Document(filename, "text/csv", text.getvalue().encode("utf-8-sig"))


def zip_folder(filename: str, documents: Sequence[Document]) -> Document:
    return Document(filename, "application/zip", _zipped((one.filename, one.content) for one in documents))


def word_document(filename: str, paragraphs: Sequence[str]) -> Document:
    """Return the smallest DOCX that word processors open (ECMA-376)."""
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    office = "http://schemas.openxmlformats.org"
    types = (
        f'{head}<Types xmlns="{office}/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{_DOCX}.main+xml"/></Types>'
    )
    relations = (
        f'{head}<Relationships xmlns="{office}/package/2006/relationships"><Relationship Id="rId1" '
        f'Type="{office}/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>'
    )
    body = "".join(f'<w:p><w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>' for text in paragraphs)
    document = f'{head}<w:document xmlns:w="{office}/wordprocessingml/2006/main"><w:body>{body}</w:body></w:document>'
    parts = {"[Content_Types].xml": types, "_rels/.rels": relations, "word/document.xml": document}
    return Document(filename, _DOCX, _zipped((name, text.encode()) for name, text in parts.items()))


def _zipped(members: Iterator[tuple[str, bytes]]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as folder:
        for name, content in members:
            folder.writestr(zipfile.ZipInfo(name, _ZIP_EPOCH), content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def standard(document: Document) -> str:
    return base64.b64encode(document.content).decode()


def url_safe_unpadded(document: Document) -> str:
    """Return base64 with `-` and `_` in place of `+` and `/`, without `=` at the end (RFC 4648, section 5)."""
    return base64.urlsafe_b64encode(document.content).decode().rstrip("=")


def line_wrapped(document: Document) -> str:
    """Return base64 in lines of 76 characters that end in CR LF (MIME)."""
    return base64.encodebytes(document.content).decode().replace("\n", "\r\n")


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
