"""Media types: which types the first bytes reveal, and which declared types deserve a warning."""

import io
import json
import struct
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.body.media_type import HEAD_BYTES, contradicts, sniffed
from tests.samples import PDF, PNG

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
ODT = "application/vnd.oasis.opendocument.text"
OLE = "application/x-ole-storage"
PE = "application/vnd.microsoft.portable-executable"
SHELL = "text/x-shellscript"


def zipped(*names: str, first: bytes = b"x", filler_bytes: int = 0) -> bytes:
    """Return a zip of small files, with a large file behind the first if `filler_bytes` is set."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for index, name in enumerate(names):
            made.writestr(name, first if index == 0 else b"x")
            if index == 0 and filler_bytes:
                made.writestr("filler", bytes(filler_bytes))
    return file.getvalue()


def tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as made:
        made.addfile(tarfile.TarInfo("a"))
    return file.getvalue()


def windows_program(header_offset: int) -> bytes:
    return b"MZ" + bytes(58) + struct.pack("<I", header_offset) + bytes(header_offset - 64) + b"PE\0\0" + bytes(20)


def bitmap(header_bytes: int = 40) -> bytes:
    return b"BM" + struct.pack("<IIII", 100, 0, 54, header_bytes) + bytes(40)


def media(brand: bytes) -> bytes:
    return struct.pack(">I", 24) + b"ftyp" + brand + bytes(4) + brand + b"isom" + bytes(100)


MAIL = b"Received: from a by b\r\n\tfor c\r\nFrom: a@example.com\r\nSubject: x\r\nMIME-Version: 1.0\r\n\r\nHello\r\n"
XML = b'<?xml version="1.0" encoding="UTF-8"?>\n'


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (PDF, "application/pdf"),
        (b"\xef\xbb\xbf%PDF-1.4\n", "application/pdf"),
        (b"\x01junk\xff\n%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", "application/pdf"),
        (b"HTTP header\r\n\r\n%PDF-1.4\n", "application/pdf"),
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
        (b"GIF89a\x01\0\x01\0", "image/gif"),
        (b"GIF87a\x01\0\x01\0", "image/gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"II*\0\x08\0\0\0", "image/tiff"),
        (b"MM\0*\0\0\0\x08", "image/tiff"),
        (bitmap(), "image/bmp"),
        (bitmap(124), "image/bmp"),
        (media(b"heic"), "image/heic"),
        (media(b"mif1"), "image/heic"),
        (media(b"avif"), "image/avif"),
        (media(b"isom"), "video/mp4"),
        (media(b"M4A "), "video/mp4"),
        (media(b"qt  "), "video/quicktime"),
        (zipped("a.txt"), "application/zip"),
        (b"PK\x05\x06" + bytes(18), "application/zip"),
        (zipped("[Content_Types].xml", "_rels/.rels", "word/document.xml"), DOCX),
        (zipped("_rels/.rels", "word/document.xml", "[Content_Types].xml"), DOCX),
        (zipped("[Content_Types].xml", "xl/workbook.xml"), XLSX),
        (zipped("[Content_Types].xml", "ppt/presentation.xml"), PPTX),
        (zipped("mimetype", "content.xml", first=ODT.encode()), ODT),
        (zipped("mimetype", "a", first=b"application/epub+zip"), "application/epub+zip"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), OLE),
        (b"{\\rtf1\\ansi hello}", "application/rtf"),
        (tar(), "application/gzip"),
        (b"7z\xbc\xaf\x27\x1c\0\x04", "application/x-7z-compressed"),
        (b"Rar!\x1a\x07\x01\0", "application/vnd.rar"),
        (b"Rar!\x1a\x07\0", "application/vnd.rar"),
        (windows_program(128), PE),
        (windows_program(HEAD_BYTES * 2), PE),
        (b"\x7fELF\x02\x01\x01", "application/x-elf"),
        (b"\xcf\xfa\xed\xfe\x07\0\0\x01", "application/x-mach-binary"),
        (b"\xca\xfe\xba\xbe\0\0\0\x02\x01\0\0\x07", "application/x-mach-binary"),
        (b"#!/bin/sh\nrm -rf /\n", SHELL),
        (b"\xef\xbb\xbf#! /usr/bin/env python3\n", SHELL),
        (b"<!DOCTYPE html><p>x", "text/html"),
        (b"\n <HTML lang=he>", "text/html"),
        (b"<script>alert(1)</script>", "text/html"),
        (b"<!-- x --><!-- y -->\n<!doctype html>", "text/html"),
        (b"<!-- " + b"x" * HEAD_BYTES, "text/html"),
        ("<body>שלום".encode("utf-16"), "text/html"),
        (b"<h1>x", "text/html"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (XML + b"<!-- x --><svg:svg xmlns:svg='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (XML + b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x" [<!ENTITY a "b">]><svg/>', "image/svg+xml"),
        (XML + b"<html xmlns='http://www.w3.org/1999/xhtml'/>", "application/xhtml+xml"),
        (XML + b"<Invoice><table/></Invoice>", "application/xml"),
        (b"<Invoice xmlns='urn:x'/>", "application/xml"),
        (b'{"a": [1, 2]}', "application/json"),
        (b" [1, 2]\n", "application/json"),
        (b'[{"a": "b", "c": "' + b"x" * HEAD_BYTES, "application/json"),
        (b"[1, 2, " + b"3, " * HEAD_BYTES, "application/json"),
        (MAIL, "message/rfc822"),
        (b"hello\n", "text/plain"),
        ("שלום עולם".encode(), "text/plain"),
        ("א".encode() * HEAD_BYTES, "text/plain"),
        ((" " + "א" * HEAD_BYTES).encode()[:HEAD_BYTES], "text/plain"),  # ends within a letter
        ("שלום, world".encode("utf-16-le"), None),
        (b"\xff\xfe" + "שלום, world".encode("utf-16-le"), "text/plain"),
        ("לכבוד הלקוח, שלום רב".encode("windows-1255"), "text/plain"),
        (b"a,b\n1,2\n", "text/plain"),
        (b"", None),
        (bytes(100), None),
    ],
    ids=lambda _: "",  # the bytes of zips hold the current time
)
def test_first_bytes_reveal_the_media_type(head: bytes, media_type: str | None) -> None:
    assert sniffed(head) == media_type


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"see the header %PDF-1.7 of it", "text/plain"),
        (b"PDF-1.7", "text/plain"),
        (b"\x89PNG\n", None),
        (b"\xff\xd8\xfe", None),
        (b"GIF88a", "text/plain"),
        (b"RIFF\x10\0\0\0WAVEfmt ", None),
        (b"II* is a note", "text/plain"),
        (b"BM is short for a bitmap", "text/plain"),
        (bitmap(header_bytes=41), None),
        (b"moreftypheic", "text/plain"),
        (b"PK is a parking lot", "text/plain"),
        (zipped("word/a.txt"), "application/zip"),
        (zipped("[Content_Types].xml", "a"), "application/zip"),
        (zipped("[Content_Types].xml", "word/document.xml", filler_bytes=HEAD_BYTES), "application/zip"),
        (zipped("mimetype", first=b"application/x-foo"), "application/zip"),
        (zipped("a", "mimetype", first=ODT.encode()), "application/zip"),
        (b"\xd0\xcf\x11\xe0", None),
        (b"{rtf}", "text/plain"),
        (b"\x1f\x8b\x09", None),
        (b"7zip", "text/plain"),
        (b"Rar!", "text/plain"),
        (b"MZ is a unit of a company", "text/plain"),
        (b"ELF", "text/plain"),
        (b"\xca\xfe\xba\xbe\0\0\0\x41\0\x1f", None),  # a Java class
        (b"#!not a path", "text/plain"),
        (b"# /bin/sh", "text/plain"),
        (b"< script>", "text/plain"),
        (b"<scripture>", "text/plain"),
        (b"<h1", "text/plain"),
        (b"the <script> tag", "text/plain"),
        (b"<john@example.com> wrote", "text/plain"),
        (b"{not json}", "text/plain"),
        (b"[section]\nkey=value", "text/plain"),
        (b"[1] see there", "text/plain"),
        (b'{"not json ' + b"x" * HEAD_BYTES, "text/plain"),
        (b"[" * HEAD_BYTES, "text/plain"),
        (b"[" * (HEAD_BYTES - 1), "text/plain"),
        (b'"text"', "text/plain"),
        (b"Note: this\nSubject: that\n\nTo: nobody", "text/plain"),
        (b"caf\xe9 cr\xe8me, d\xe9j\xe0 vu \x80\x81\x82\x83\x84", None),
        (b"text with \x01", None),
        (b"\xff\xfe\0\xd8\0\xd8", None),
    ],
)
def test_near_miss_is_not_taken_for_the_type(head: bytes, media_type: str | None) -> None:
    assert sniffed(head) == media_type


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_accepted_and_never_contradict_their_own_type(head: bytes) -> None:
    found = sniffed(head)

    assert found is None or contradicts(found, found) is False


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none(), min_size=1).map(json.dumps))
def test_any_json_object_is_json(text: str) -> None:
    assert sniffed(text.encode()) == "application/json"


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        (None, PE),
        ("", PE),
        ("pdf", PE),
        ("application/octet-stream", PE),
        ("image/png", None),
        ("IMAGE/PNG", "image/png"),
        ("image/png; name=x", "image/png"),
        (" image/jpg ", "image/jpeg"),
        ("image/pjpeg", "image/jpeg"),
        ("image/*", "image/png"),
        ("image/heif", "image/heic"),
        ("application/x-pdf", "application/pdf"),
        ("application/x-foo", "application/pdf"),
        ("text/csv", "text/plain"),
        ("text/html", "text/plain"),
        ("text/plain; charset=windows-1255", "text/plain"),
        ("application/vnd.ms-excel", "text/plain"),
        ("application/x-foo", "text/plain"),
        ("application/javascript", "text/plain"),
        ("text/plain", "application/json"),
        ("application/geo+json", "application/json"),
        ("text/xml", "application/xml"),
        ("application/xml", "text/plain"),
        ("image/svg+xml", "application/xml"),
        ("application/xml", "image/svg+xml"),
        ("text/html", "application/xhtml+xml"),
        ("text/plain", "message/rfc822"),
        (DOCX, "application/zip"),
        (ODT, "application/zip"),
        ("application/java-archive", "application/zip"),
        ("application/x-zip-compressed", DOCX),
        ("application/zip", ODT),
        ("application/msword", DOCX),
        ("application/vnd.ms-word.document.macroEnabled.12", DOCX),
        ("application/vnd.ms-excel", XLSX),
        ("application/msword", OLE),
        ("application/vnd.ms-excel", OLE),
        (DOCX, OLE),
        ("application/msword", "application/rtf"),
        ("text/rtf", "application/rtf"),
        ("application/x-gzip", "application/gzip"),
        ("application/x-tar", "application/gzip"),
        ("audio/mp4", "video/mp4"),
        ("video/mp4", "video/quicktime"),
        ("application/x-msdownload", PE),
        ("application/x-sh", SHELL),
        ("text/x-python", SHELL),
        ("application/x-executable", "application/x-elf"),
    ],
)
def test_plausible_declared_type_is_no_contradiction(declared: str | None, found: str | None) -> None:
    assert not contradicts(declared, found)


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        ("image/png", "text/html"),
        ("image/png", PE),
        ("image/png", "application/pdf"),
        ("image/png", "image/jpeg"),
        ("image/png", "text/plain"),
        ("image/*", "application/pdf"),
        ("image/png", "image/svg+xml"),
        ("image/svg+xml", "text/html"),
        ("image/svg+xml", "application/json"),
        ("application/pdf", "text/html"),
        ("application/pdf", "text/plain"),
        ("application/pdf", "application/zip"),
        ("application/pdf", PE),
        ("application/pdf", SHELL),
        ("application/x-foo", PE),
        ("application/x-foo", "text/html"),
        ("text/plain", "text/html"),
        ("text/plain", SHELL),
        ("text/plain", "application/pdf"),
        ("text/csv", "application/zip"),
        ("application/vnd.ms-excel", "text/html"),
        (DOCX, XLSX),
        (DOCX, ODT),
        (ODT, DOCX),
        ("application/vnd.ms-excel", DOCX),
        ("application/msword", "application/pdf"),
        (DOCX, "application/pdf"),
        ("application/zip", OLE),
        ("application/zip", PE),
        ("audio/mpeg", "application/pdf"),
        ("video/mp4", "image/heic"),
        ("application/x-executable", PE),
    ],
)
def test_impossible_declared_type_is_a_contradiction(declared: str, found: str) -> None:
    assert contradicts(declared, found)
