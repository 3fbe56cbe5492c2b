# mypy: disable-error-code="no-untyped-call"
"""Makes real PDFs, signs them with pyHanko and throw-away certificates, and changes them afterwards."""

import asyncio
import hashlib
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO
from typing import Any

from asn1crypto import cms
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, NameObject, NumberObject, PdfObject, StreamObject
from pyhanko.pdf_utils.generic import TextStringObject as Text
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import PageObject, PdfFileWriter, copy_into_new_writer
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.signers import PdfSignatureMetadata, PdfTimeStamper, SimpleSigner, sign_pdf
from pyhanko.sign.timestamps import DummyTimeStamper
from pyhanko.sign.validation import DocumentSecurityStore, validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

NOW = datetime.now(UTC)
SIGNER_NAME = "דנה כהן"
SIGNER_ORGANIZATION = "Example Ltd"
_TEXT_FIELD = "Remarks"
_SIGNATURE_HEX_DIGITS = 8192
_PASSWORD = "secret"

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Identity:
    """A certificate with its private key, and the certificate that issued it."""

    certificate: x509.Certificate
    private_key: PrivateKey
    issuer: x509.Certificate | None

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


def authority(name: str = "Test root") -> Identity:
    """Return a root that issues certificates of signers. The same name returns the same root."""
    return _authority(name)


@cache
def _authority(name: str) -> Identity:
    private_key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name, None)
    builder = _builder(subject, subject, private_key, *_years()).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    certificate = builder.add_extension(_usages(signs_certificates=True), critical=True)
    return Identity(certificate.sign(private_key, hashes.SHA256()), private_key, None)


def identity(
    name: str = SIGNER_NAME, root: str = "Test root", valid_from: datetime | None = None, valid_days: int = 7300
) -> Identity:
    """Return a signer with a certificate of the authority named `root`. The same arguments return the same signer."""
    return _identity(name, root, valid_from or _years()[0], valid_days)


@cache
def _identity(name: str, root: str, begins: datetime, valid_days: int) -> Identity:
    issuer = authority(root)
    private_key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name, SIGNER_ORGANIZATION)
    builder = _builder(subject, issuer.certificate.subject, private_key, begins, begins + timedelta(days=valid_days))
    builder = builder.add_extension(_usages(signs_certificates=False), critical=True)
    return Identity(builder.sign(issuer.private_key, hashes.SHA256()), private_key, issuer.certificate)


@cache
def _time_stamping_identity(root: str, begins: datetime, valid_days: int) -> Identity:
    issuer = authority(root)
    private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)  # DummyTimeStamper supports RSA only
    ends = begins + timedelta(days=valid_days)
    builder = _builder(_name("Test time", None), issuer.certificate.subject, private_key, begins, ends)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    return Identity(builder.sign(issuer.private_key, hashes.SHA256()), private_key, issuer.certificate)


def time_stamper(
    at: datetime | None = None, root: str = "Test root", valid_from: datetime | None = None, valid_days: int = 7300
) -> DummyTimeStamper:
    """Return a time-stamping authority in this process, with a certificate of the authority named `root`."""
    signer = _signer(_time_stamping_identity(root, valid_from or _years()[0], valid_days))
    return DummyTimeStamper(signer.signing_cert, signer.signing_key, signer.cert_registry, fixed_dt=at)


@cache
def form(*, filler_bytes: int = 0) -> bytes:
    """Return a PDF of one page with a text field; `filler_bytes` of it are a stream that does not compress."""
    writer = PdfFileWriter(stream_xrefs=False)
    contents = writer.add_object(StreamObject(stream_data=b"BT /F1 12 Tf 72 720 Td (I owe you 100) Tj ET"))
    page = PageObject(contents, (0, 0, 595, 842), _fonts())
    page_reference = writer.insert_page(page)
    field = {
        "/Type": NameObject("/Annot"),
        "/Subtype": NameObject("/Widget"),
        "/FT": NameObject("/Tx"),
        "/T": Text(_TEXT_FIELD),
        "/V": Text(""),
        "/Rect": ArrayObject([NumberObject(number) for number in (72, 600, 300, 620)]),
        "/P": page_reference,
    }
    field_reference = writer.add_object(DictionaryObject(field))
    page_reference.get_object()["/Annots"] = ArrayObject([field_reference])
    form_object = DictionaryObject({"/Fields": ArrayObject([field_reference])})
    writer.root["/AcroForm"] = writer.add_object(form_object)
    if filler_bytes:
        writer.root["/Filler"] = writer.add_object(StreamObject(stream_data=_noise(filler_bytes)))
    return _written(writer)


def signed(
    pdf: bytes,
    field: str = "First",
    *,
    by: Identity | None = None,
    certify: MDPPerm | None = None,
    stamper: DummyTimeStamper | None = None,
) -> bytes:
    """Sign a PDF. With `certify`, sign as its author, and permit these changes."""
    writer = writer_of(pdf)
    metadata = PdfSignatureMetadata(
        field_name=field,
        md_algorithm="sha256",
        certify=certify is not None,
        docmdp_permissions=certify or MDPPerm.FILL_FORMS,
    )
    signer = _signer(by or identity())
    output: BytesIO = sign_pdf(writer, metadata, signer, timestamper=stamper, bytes_reserved=_SIGNATURE_HEX_DIGITS)
    return output.getvalue()


def signed_over(pdf: bytes, digest: str) -> bytes:
    """Sign a PDF with a digest of this algorithm."""
    metadata = PdfSignatureMetadata(field_name="First", md_algorithm=digest)
    output: BytesIO = sign_pdf(
        IncrementalPdfFileWriter(BytesIO(pdf)), metadata, _signer(identity()), bytes_reserved=_SIGNATURE_HEX_DIGITS
    )
    return output.getvalue()


def time_stamped(pdf: bytes) -> bytes:
    """Add a document time stamp."""
    output: BytesIO = PdfTimeStamper(time_stamper()).timestamp_pdf(
        IncrementalPdfFileWriter(BytesIO(pdf)), "sha256", bytes_reserved=2 * _SIGNATURE_HEX_DIGITS
    )
    return output.getvalue()


def with_time_stamp_put_in(pdf: bytes, stamper: DummyTimeStamper, stamped: bytes | None = None) -> bytes:
    """Put a time stamp of the signature value, or of `stamped`, into the last signature, as anybody can."""
    start, end = value_range(pdf)
    signature = cms.ContentInfo.load(bytes.fromhex(pdf[start:end].decode()))
    (signer,) = signature["content"]["signer_infos"]
    digest = hashlib.sha256(signer["signature"].native if stamped is None else stamped).digest()
    token = asyncio.run(stamper.async_timestamp(digest, "sha256"))
    attribute = cms.CMSAttribute({"type": "signature_time_stamp_token", "values": [token]})
    signer["unsigned_attrs"] = cms.CMSAttributes([attribute])
    signature["content"]["signer_infos"] = [signer]
    value: bytes = signature.dump(force=True).hex().encode().ljust(end - start, b"0")
    assert len(value) == end - start
    return pdf[:start] + value + pdf[end:]


def with_validation_data(pdf: bytes) -> bytes:
    """Add a document security store with certificates, as long-term validation requires."""
    output = BytesIO(pdf)
    certificates = list(_signer(identity()).cert_registry)
    DocumentSecurityStore.add_dss(output, None, certs=certificates, force_write=True)
    return output.getvalue()


def updated(pdf: bytes, update: Callable[[IncrementalPdfFileWriter], object]) -> bytes:
    """Append a revision."""
    writer = writer_of(pdf)
    update(writer)
    return _written(writer)


def filled(pdf: bytes, text: str = "Paid") -> bytes:
    """Fill in the text field."""

    def fill(writer: IncrementalPdfFileWriter) -> None:
        field = _field(writer, _TEXT_FIELD)
        field["/V"] = Text(text)
        writer.update_container(field)

    return updated(pdf, fill)


def edited(pdf: bytes, text: str = "I owe you 900") -> bytes:
    """Replace the text on the page."""

    def edit(writer: IncrementalPdfFileWriter) -> None:
        page = writer.root["/Pages"]["/Kids"][0]
        contents = StreamObject(stream_data=f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode())
        page["/Contents"] = writer.add_object(contents)
        writer.update_container(page)

    return updated(pdf, edit)


def with_attachment(pdf: bytes, attached: bytes) -> bytes:
    """Attach a document without compression."""

    def attach(writer: IncrementalPdfFileWriter) -> None:
        writer.root["/Attached"] = writer.add_object(StreamObject(stream_data=attached))
        writer.update_root()

    return updated(pdf, attach)


def without_signature(pdf: bytes, name: str = "First") -> bytes:
    """Remove the signature from its field, by an update."""

    def remove(writer: IncrementalPdfFileWriter) -> None:
        field = _field(writer, name)
        del field["/V"]
        writer.update_container(field)

    return updated(pdf, remove)


def skipping(pdf: bytes, hidden: bytes) -> bytes:
    """Append `hidden`, and an update whose chain of updates leaves `hidden` out."""
    visible = with_validation_data(pdf)
    update = visible[len(pdf) :]
    moved_by = len(hidden) - len(pdf)
    return hidden + _moved(update, len(pdf), moved_by)


def wrapped(pdf: bytes) -> bytes:
    """Put another document between the two parts that the signature covers, in place of the signature value.

    The table of objects stands at the offset that the signed end of the file gives. The signature has the old value,
    padded with zeros until its hexadecimal digits would fill the gap between the parts.
    """
    start, end = value_range(pdf)
    before, after = pdf[: start - 1], pdf[end + 1 :]
    value = bytes.fromhex(pdf[start:end].decode()).ljust(30_000, b"\0")
    room = 2 * len(value) + 2
    signature = b"<</SubFilter /adbe.pkcs7.detached /ByteRange [0 %d %d %d] /Contents (%b)>>" % (
        len(before),
        len(before) + room,
        len(after),
        re.sub(rb"([()\\])", rb"\\\1", value).replace(b"\r", rb"\r"),
    )
    body, places = before, []
    for number, content in enumerate((*_another_document(), signature), start=1):
        if number == 7:  # the table comes first because its place is fixed
            body = body.ljust(int(after.split()[-2]), b" ") + bytes(400)
        places.append(len(body))
        body += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"xref\n0 8\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    table += b"trailer\n<</Size 8 /Root 1 0 R>>\n"
    at = int(after.split()[-2])
    body = body[:at] + table.ljust(400, b" ") + body[at + 400 :]
    return body.ljust(len(before) + room, b" ") + after


def _another_document() -> Sequence[bytes]:
    return (
        b"<</Type /Catalog /Pages 2 0 R /AcroForm 3 0 R>>",
        b"<</Type /Pages /Kids [4 0 R] /Count 1>>",
        b"<</Fields [6 0 R]>>",
        b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R>>",
        stream(b"", b"BT /F1 12 Tf 72 720 Td (I owe you 900) Tj ET"),
        b"<</FT /Sig /T (First) /V 7 0 R>>",
    )


def bottom_line(pdf: bytes, root: asn1.Certificate) -> bool:
    """Return pyHanko's own verdict on the first signature, with this root trusted."""
    signature = PdfFileReader(BytesIO(pdf)).embedded_signatures[0]
    context = ValidationContext(trust_roots=[root])
    said: bool = validate_pdf_signature(signature, context).bottom_line
    return said


def encrypted_for_all() -> bytes:
    """Return the form, encrypted (AES-256, with a MAC) so that it opens without a password."""
    writer = copy_into_new_writer(PdfFileReader(BytesIO(form())))
    writer.encrypt(_PASSWORD, "")
    return _written(writer)


def encrypted() -> bytes:
    """Return a PDF that opens with a password only."""
    writer = PdfFileWriter()
    writer.insert_page(PageObject(writer.add_object(StreamObject(stream_data=b"")), (0, 0, 595, 842)))
    writer.encrypt(_PASSWORD, _PASSWORD)
    return _written(writer)


def value_range(pdf: bytes) -> tuple[int, int]:
    """Return the begin and the end of the hexadecimal digits of the last signature's value."""
    gap = re.findall(rb"/ByteRange \[0 (\d+) (\d+) \d+ *\]", pdf)[-1]
    return int(gap[0]) + 1, int(gap[1]) - 1


def document(objects: Sequence[bytes], *, trailer: bytes = b"/Root 1 0 R") -> bytes:
    """Return a PDF written by hand. Objects are numbered from 1."""
    output = b"%PDF-1.7\n"
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(output))
        output += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(output)
    output += b"xref\n0 %d\n0000000000 65535 f \n%b" % (len(objects) + 1, table)
    return output + b"trailer\n<</Size %d %b>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, start)


def stream(entries: bytes, data: bytes) -> bytes:
    return b"<<%b /Length %d>>\nstream\n%b\nendstream" % (entries, len(data), data)


def xref_stream_document(objects: Sequence[bytes], entries: Sequence[tuple[int, int, int]], data: bytes) -> bytes:
    """Return a PDF with a cross-reference stream of these entries.

    The place of an entry of kind 1 is the number of its object. `data` replaces the entries in the stream, if not
    empty.
    """
    output = b"%PDF-1.7\n"
    places = {}
    for number, body in enumerate(objects, start=1):
        places[number] = len(output)
        output += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(output)
    rows = [(kind, places[place] if kind == 1 else place, index) for kind, place, index in entries]
    table = b"".join(bytes([kind]) + place.to_bytes(4) + index.to_bytes(2) for kind, place, index in rows)
    number = len(objects) + 1
    body = b"/Type /XRef /W [1 4 2] /Size %d /Root 1 0 R /Filter /FlateDecode" % (len(entries))
    output += b"%d 0 obj\n%b\nendobj\n" % (number, stream(body, data or zlib.compress(table)))
    return output + b"startxref\n%d\n%%%%EOF\n" % start


def bomb(unpacked_bytes: int) -> bytes:
    """Return zeros, deflated to a thousandth of their size, without the checksum at the end."""
    packer = zlib.compressobj(9)
    first, again = (packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + again * (unpacked_bytes >> 20)


def _moved(update: bytes, above: int, by: int) -> bytes:
    """Move an update that has a classic cross-reference table by `by` bytes."""
    update = re.sub(
        rb"(\d{10}) (\d{5} n)",
        lambda entry: b"%010d %b" % (int(entry[1]) + (by if int(entry[1]) >= above else 0), entry[2]),
        update,
    )
    return re.sub(rb"startxref\n(\d+)", lambda start: b"startxref\n%d" % (int(start[1]) + by), update)


def writer_of(pdf: bytes) -> IncrementalPdfFileWriter:
    """Return a writer of an update, also for a document that opens without a password."""
    writer = IncrementalPdfFileWriter(BytesIO(pdf), strict=False)
    if writer.prev.encrypted:
        writer.encrypt("")
    return writer


def _field(writer: IncrementalPdfFileWriter, name: str) -> DictionaryObject:
    fields = writer.root["/AcroForm"]["/Fields"]
    found: DictionaryObject = next(field for field in map(_resolved, fields) if field["/T"] == name)
    return found


def _resolved(reference: PdfObject) -> Any:
    return reference.get_object()


def _fonts() -> DictionaryObject:
    names = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    font = DictionaryObject({key: NameObject(name) for key, name in names.items()})
    return DictionaryObject({"/Font": DictionaryObject({"/F1": font})})


def _written(writer: Any) -> bytes:
    output = BytesIO()
    writer.write(output)
    return output.getvalue()


def _noise(size_bytes: int) -> bytes:
    blocks = (hashes.Hash(hashes.SHA512()) for _ in range(size_bytes // 64))
    return b"".join(_digest(block, number) for number, block in enumerate(blocks))


def _digest(block: hashes.Hash, number: int) -> bytes:
    block.update(number.to_bytes(8))
    return block.finalize()


@cache
def _signer(owner: Identity) -> SimpleSigner:
    issuers = [owner.issuer] if owner.issuer else []
    bundle = pkcs12.serialize_key_and_certificates(None, owner.private_key, owner.certificate, issuers, NoEncryption())
    signer: SimpleSigner = SimpleSigner.load_pkcs12_data(bundle, other_certs=[])
    return signer


def _years() -> tuple[datetime, datetime]:
    return NOW - timedelta(days=3650), NOW + timedelta(days=3650)


def _name(common_name: str, organization: str | None) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _builder(
    subject: x509.Name, issuer: x509.Name, private_key: PrivateKey, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(private_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )


def _usages(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=not signs_certificates,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


CATALOGUE = b"<</Type /Catalog /Pages 2 0 R /AcroForm 3 0 R>>"
PAGES = b"<</Type /Pages /Kids [] /Count 0>>"
"""Objects 1 and 2 of a document written by hand; its object 3 is the form."""


def with_usage_rights() -> bytes:
    """Return a document with usage rights, which are a signature of Adobe's outside of any field."""
    catalogue = CATALOGUE.replace(b">>", b" /Perms <</UR3 4 0 R>>>>")
    page = b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 595 842]>>"
    rights = b"<</ByteRange [0 %06d %06d %06d] /Contents <3003020100>>>" % (0, 0, 0)
    pages = b"<</Type /Pages /Kids [5 0 R] /Count 1>>"
    pdf = document([catalogue, pages, b"<</Fields []>>", rights, page])
    start = pdf.index(b"<3003020100>")
    end = start + len(b"<3003020100>")
    return pdf.replace(b"[0 000000 000000 000000]", b"[0 %06d %06d %06d]" % (start, end, len(pdf) - end))


def endless() -> bytes:
    """Return a document whose signature covers the same megabyte again and again."""
    document_signed = signed(form())
    start, end = value_range(document_signed)
    ranges = b"0 1000000 " * 100_000
    signature = b"<</SubFilter /adbe.pkcs7.detached /ByteRange [%b] /Contents <%b>>>" % (
        ranges,
        document_signed[start:end],
    )
    field = b"<</FT /Sig /T (First) /V 5 0 R>>"
    return document([CATALOGUE, PAGES, b"<</Fields [4 0 R]>>", field, signature])


def many_objects(number: int) -> bytes:
    """Return a document whose cross-reference stream promises more objects than it has bytes."""
    pdf = xref_stream_document([CATALOGUE], [(0, 0, 0)], b"")
    return pdf.replace(b"/Size 1 ", b"/Size %d /Index [0 %d] " % (number, number))


def paged(pages: int = 3, *, filler_bytes: int = 0) -> bytes:
    """Return a signed PDF of several pages. The second is turned, cropped and has the visible signature `Tenant`; the
    third has Hebrew, and what only looks like this signature: it is no field of the document.
    """
    places = [4 + number for number in range(pages)]
    hebrew = b"".join(b"<%02X> <%04X>\n" % (0x41 + number, ord(each)) for number, each in enumerate("שכירות"))
    unicode = b"begincmap 1 begincodespacerange <00> <FF> endcodespacerange 6 beginbfchar\n%bendbfchar endcmap" % hebrew
    like = b"<</Type /Annot /Subtype /Widget /FT /Sig /T (Tenant) /Rect [150 100 350 160] /F 4>>"
    objects = [
        b"<</Type /Catalog /Pages 2 0 R /AcroForm <</Fields [3 0 R] /SigFlags 3>>>>",
        b"<</Type /Pages /Count %d /Kids [%b]>>" % (pages, b" ".join(b"%d 0 R" % each for each in places)),
        b"<</Type /Annot /Subtype /Widget /FT /Sig /T (Tenant) /Rect [150 500 350 560] /F 4 /P %d 0 R>>" % places[1],
    ]
    for number in range(pages):
        own = {1: b"/Rotate 90 /CropBox [100 300 500 700] /Annots [3 0 R]", 2: b"/Annots [%b]" % like}.get(number, b"")
        font = b"/Resources <</Font <</F1 %d 0 R>>>>" % (4 + 2 * pages + (number == 2))
        its = (own, 4 + pages + number, font)
        objects.append(b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] %b /Contents %d 0 R %b>>" % its)
    for number in range(pages):
        text = b"FEDCBA" if number == 2 else b"I owe you %d" % (number + 1)
        objects.append(stream(b"", b"BT /F1 12 Tf 160 600 Td (%b) Tj 0 -50 Td (rent of a flat) Tj ET" % text))
    font = b"<</Type /Font /Subtype /Type1 /BaseFont /Helvetica%b>>"
    objects += [font % b"", font % (b" /ToUnicode %d 0 R" % (6 + 2 * pages)), stream(b"", unicode)]
    objects.append(stream(b"", _noise(filler_bytes)))
    return signed(document(objects), "Tenant")
