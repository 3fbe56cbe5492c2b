"""Recognises media types by a file's first bytes, and compares them with declared types.

The table is our own: types that people attach to forms, and types that must not pass for them. Sources: the formats'
own signatures, and for HTML the WHATWG's MIME Sniffing Standard.
"""

import json
import re
import struct
from codecs import getincrementaldecoder

HEAD_BYTES = 4096
"""The part of a file that is examined."""

PORTABLE_EXECUTABLE = "application/vnd.microsoft.portable-executable"
ELF = "application/x-elf"
MACH_O = "application/x-mach-binary"
SHELL_SCRIPT = "text/x-shellscript"
OLE = "application/x-ole-storage"
_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_POWERPOINT = "application/vnd.openxmlformats-officedocument.presentationml.presentation"

_SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"II+\0", "image/tiff"),  # with offsets of 64 bits
    (b"MM\0+", "image/tiff"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLE),
    (b"{\\rtf", "application/rtf"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"\x7fELF", ELF),
    (b"\xfe\xed\xfa\xce", MACH_O),
    (b"\xfe\xed\xfa\xcf", MACH_O),
    (b"\xce\xfa\xed\xfe", MACH_O),
    (b"\xcf\xfa\xed\xfe", MACH_O),
)
_MOST_MACHINES = 32  # in a universal Mach-O file; a Java class has its version there, 45 or more
_BITMAP_HEADER_BYTES = {12, 40, 52, 56, 64, 108, 124}
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "image/heic"),
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    b"qt  ": "video/quicktime",
}
_OFFICE_FOLDERS = ((b"word/", _WORD), (b"xl/", _EXCEL), (b"ppt/", _POWERPOINT))
_OFFICE_PARTS = frozenset({b"[Content_Types].xml", b"_rels/.rels"})
_OPEN_DOCUMENT = re.compile(rb"application/vnd\.oasis\.opendocument\.[a-z.-]+|application/epub\+zip")

_LATE_PDF = re.compile(rb"(?<![ -~])%PDF-[12]\.\d")

_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_HEBREW_LETTERS_1255 = range(0xE0, 0xFB)
_PROLOG = re.compile(r"(?:\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>]*>)*", re.DOTALL | re.IGNORECASE)
_DOCTYPE = re.compile(r"<!DOCTYPE\s+(html|svg)\b", re.IGNORECASE)
_ROOT = re.compile(r"<(?:[\w.-]+:)?([A-Za-z][\w.-]*)(?=[\s/>])([^>]*)")
_HTML_ROOT = re.compile(
    r"a|b|body|br|center|div|font|form|h[1-6]|head|html|iframe|img|link|meta|object|p|pre|script|span|style|table|title"
)
_HEADER = re.compile(r"([A-Za-z][A-Za-z0-9-]*): ?[^\n]*\n(?:[ \t][^\n]*\n)*")
_MAIL_HEADERS = frozenset(
    {"cc", "content-type", "date", "delivered-to", "from", "message-id", "mime-version", "received", "return-path"}
    | {"reply-to", "sender", "subject", "to"}
)
_JSON_OBJECT = re.compile(r'\s*\[?\s*\{\s*"(?:[^"\\]|\\.)*"\s*:')
_JSON_LIST = re.compile(r'\s*\[\s*(?:\[\s*)*(?:"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null)\s*,')


def sniffed(head: bytes) -> str | None:
    """Return the media type of a file that begins with `head`, or None if it shows none. Pure.

    `head` is the first `HEAD_BYTES`, or the whole of a smaller file. Where it does not suffice, the wider type is
    returned: `application/zip` for an Office document, `application/x-ole-storage` for an old Office document.
    """
    head = head[:HEAD_BYTES]
    told = next((media_type for magic, media_type in _SIGNATURES if head.startswith(magic)), None)
    told = told or _container(head) or _program(head) or _written(head)
    # PDF readers accept a header anywhere in the first 1,024 bytes.
    return "application/pdf" if told in (None, "text/plain") and _LATE_PDF.search(head, 0, 1024) else told


def _container(head: bytes) -> str | None:
    """Return the type of a container, which is named behind its first bytes, or None."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return _zipped(head)
    if head.startswith(b"\0\0") and head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith(b"BM") and head[6:10] == bytes(4) and _number("<I", head, 14) in _BITMAP_HEADER_BYTES:
        return "image/bmp"
    return None


def _zipped(head: bytes) -> str:
    """Return the type of an Office document by a name in its head, of an OpenDocument by its first entry, or zip."""
    names = _zip_names(head)
    if names[:1] == [b"mimetype"]:
        told = _OPEN_DOCUMENT.match(head, 30 + len(b"mimetype") + (_number("<H", head, 28) or 0))
        return told[0].decode() if told else "application/zip"
    if not _OFFICE_PARTS.intersection(names):
        return "application/zip"
    office = (media_type for folder, media_type in _OFFICE_FOLDERS if any(name.startswith(folder) for name in names))
    return next(office, "application/zip")


def _zip_names(head: bytes) -> list[bytes]:
    starts = [match.start() for match in re.finditer(rb"PK\x03\x04", head)]
    lengths = [(start, _number("<H", head, start + 26) or 0) for start in starts]
    return [head[start + 30 : start + 30 + length] for start, length in lengths]


def _program(head: bytes) -> str | None:
    if head.startswith(b"\xca\xfe\xba\xbe") and 0 < (_number(">I", head, 4) or 0) <= _MOST_MACHINES:
        return MACH_O
    if head.startswith(b"MZ"):
        offset = _number("<I", head, 0x3C)
        is_told = offset is not None and head[offset : offset + 4] == b"PE\0\0"
        # The second header may lie beyond the head. Text that begins with MZ has no NUL.
        return PORTABLE_EXECUTABLE if is_told or b"\0" in head else None
    return None


def _number(form: str, head: bytes, offset: int) -> int | None:
    if offset + struct.calcsize(form) > len(head):
        return None
    number: int = struct.unpack_from(form, head, offset)[0]
    return number


def _written(head: bytes) -> str | None:
    """Return the kind of text that `head` is, or None if it is no text."""
    text = _text(head)
    if not text or _CONTROLS.search(text):
        return None
    text = text.lstrip()
    if re.match(r"#! ?/", text):
        return SHELL_SCRIPT
    if text.startswith("<"):
        return _markup(text)
    if _is_json(text, whole=len(head) < HEAD_BYTES):
        return "application/json"
    return "message/rfc822" if _is_mail(text) else "text/plain"


def _text(head: bytes) -> str | None:
    """Return the text of a head, or None. The last character may be cut off.

    The text is in UTF-16 with a byte order mark, in UTF-8, or in windows-1255 if it looks like Hebrew.
    """
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _decoded(head, "utf-16")
    high = [byte for byte in head if byte >= 0x80]
    hebrew = sum(byte in _HEBREW_LETTERS_1255 for byte in high)
    return _decoded(head, "utf-8-sig") or (_decoded(head, "windows-1255") if hebrew > 0.8 * len(high) else None)


def _decoded(head: bytes, encoding: str) -> str | None:
    try:
        return getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return None


def _markup(text: str) -> str:
    root_text = _PROLOG.sub("", text, count=1)
    doctype = _DOCTYPE.search(text.removesuffix(root_text)) or _DOCTYPE.match(root_text)
    root = _ROOT.match(root_text)
    name = (doctype[1] if doctype else root[1] if root else "").lower()
    is_xml = text.startswith("<?xml")
    if name == "svg":
        return "image/svg+xml"
    if name == "html" and is_xml:
        return "application/xhtml+xml"
    if _HTML_ROOT.fullmatch(name) and not is_xml:
        return "text/html"
    if is_xml or (root and "xmlns" in root[2]):
        return "application/xml"
    # A browser takes a file that begins with a comment for HTML.
    return "text/html" if text.startswith("<!--") and not root else "text/plain"


def _is_json(text: str, *, whole: bool) -> bool:
    if not text.startswith(("{", "[")):
        return False
    if not whole:
        return bool(_JSON_OBJECT.match(text) or _JSON_LIST.match(text))
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_mail(text: str) -> bool:
    """Return whether the text begins with several mail headers. A note may begin with a single such line."""
    text = text.replace("\r\n", "\n")
    names, position = set(), 0
    while header := _HEADER.match(text, position):
        names.add(header[1].lower())
        position = header.end()
    return len(names & _MAIL_HEADERS) >= 3


_SAME = {
    **dict.fromkeys(("application/exe", "application/x-exe", "application/x-dosexec"), PORTABLE_EXECUTABLE),
    **dict.fromkeys(("application/x-msdos-program", "application/x-msdownload"), PORTABLE_EXECUTABLE),
    **dict.fromkeys(("application/x-rar", "application/x-rar-compressed"), "application/vnd.rar"),
    **dict.fromkeys(("application/x-rtf", "text/richtext", "text/rtf"), "application/rtf"),
    **dict.fromkeys(("application/x-zip", "application/x-zip-compressed"), "application/zip"),
    **dict.fromkeys(("image/heif", "image/heic-sequence", "image/heif-sequence"), "image/heic"),
    **dict.fromkeys(("image/jpe", "image/jpg", "image/pjpeg"), "image/jpeg"),
    **dict.fromkeys(("image/tif", "image/x-tiff"), "image/tiff"),
    **dict.fromkeys(("image/x-bmp", "image/x-ms-bmp"), "image/bmp"),
    "application/x-gzip": "application/gzip",
    "application/x-pdf": "application/pdf",
    "image/svg": "image/svg+xml",
    "image/x-png": "image/png",
    "text/json": "application/json",
    "text/xml": "application/xml",
}
_NO_CLAIM = {"application/octet-stream", "application/binary", "binary/octet-stream", "application/x-download"}
_ACTIVE = {"text/html", "application/xhtml+xml", "image/svg+xml", SHELL_SCRIPT, PORTABLE_EXECUTABLE, ELF, MACH_O}

_ALL_TEXT = (
    r"text/.*|message/.*|multipart/.*|(application|model)/.*\+(json|xml|yaml)"
    r"|application/(xml|json|javascript|ecmascript|sql|yaml|csv|mbox|msword|vnd\.ms-excel|pgp-.*|xml-.*"
    r"|x-(javascript|ndjson|yaml|csv|sh|subrip|pem-file|x509-.*))"
)
_ALL_XML = r".*\+xml|application/xml|application/xml-.*"
_ALL_OFFICE = r"application/(msword|vnd\.(ms-|openxmlformats-officedocument|oasis\.opendocument).*)"

# For each type that is found, the other types that may be declared.
_ALSO = {
    "application/gzip": r".*\+gzip|application/x-(tar|tgz|gtar.*|compressed-tar)",
    "application/json": _ALL_TEXT,
    "application/rtf": r"application/msword|text/plain",
    "application/xhtml+xml": rf"text/html|{_ALL_XML}",
    "application/xml": rf"{_ALL_TEXT}|{_ALL_XML}",
    "application/zip": (
        rf".*\+zip|{_ALL_OFFICE}|application/(java-archive|x-java-archive|x-zip-.*|x-iwork-.*"
        r"|vnd\.(apple|android|google-earth\.kmz).*)"
    ),
    "image/avif": "image/heic",
    "image/heic": "image/avif",
    "image/svg+xml": _ALL_XML,
    "message/rfc822": _ALL_TEXT,
    "text/html": r"application/xhtml\+xml",
    "text/plain": _ALL_TEXT,
    "video/mp4": r"video/(quicktime|3gpp2?|x-m4v|mpeg4)|audio/(mp4|x-m4a|m4a|aac|3gpp2?)",
    "video/quicktime": r"video/(mp4|x-m4v)",
    # The new formats, if protected by a password, are in an old container too.
    OLE: rf"{_ALL_OFFICE}|application/(x-msi|cdfv2.*|x-cfb|x-msexcel|vnd\.visio)",
    _WORD: r"application/(zip|msword|vnd\.ms-word.*|vnd\.openxmlformats-officedocument\.wordprocessingml.*)",
    _EXCEL: r"application/(zip|vnd\.ms-excel.*|vnd\.openxmlformats-officedocument\.spreadsheetml.*)",
    _POWERPOINT: r"application/(zip|vnd\.ms-powerpoint.*|vnd\.openxmlformats-officedocument\.presentationml.*)",
    SHELL_SCRIPT: r"text/x-.*|text/javascript|application/(javascript|x-(sh|csh|shellscript|python|perl|ruby))",
    ELF: r"application/x-(executable|sharedlib|pie-executable|object)",
    MACH_O: r"application/x-(executable|mach-o.*)",
}
_ZIPS_BY_THEIR_MIMETYPE = ("application/vnd.oasis.opendocument.", "application/epub+zip")
_RECOGNISED = {*dict(_SIGNATURES).values(), *_ALSO, "image/bmp", "image/webp"}


def contradicts(declared: str | None, found: str | None) -> bool:
    """Return whether a file's declared type contradicts the type that `sniffed` found. Pure.

    People and programs name types loosely, and a head does not show everything. Types that can both be true do not
    contradict, and neither does a declaration without a claim. HTML, SVG and programs contradict every other type.
    """
    claim = _plain(declared)
    if claim is None or found is None or claim in (found, f"{found.partition('/')[0]}/*"):
        return False
    also = "application/zip" if found.startswith(_ZIPS_BY_THEIR_MIMETYPE) else _ALSO.get(found)
    if also and re.fullmatch(also, claim):
        return False
    if found in _ACTIVE or claim in _RECOGNISED or re.fullmatch(_ALL_OFFICE, claim):
        return True
    # The format of application/x-foo is unknown here: it may be a PDF.
    return not claim.startswith("application/")


def _plain(declared: str | None) -> str | None:
    """Return a declared type in lower case and without parameters, or None if it claims nothing."""
    claim = (declared or "").partition(";")[0].strip().lower()
    return None if "/" not in claim or claim in _NO_CLAIM else _SAME.get(claim, claim)
