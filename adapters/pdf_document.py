"""A PDF as pyHanko reads it: its fields with signatures, and its updates, as every viewer must find them."""

import mmap
import os
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

from pyhanko.pdf_utils.crypt import AuthStatus
from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, IndirectObject, NullObject
from pyhanko.pdf_utils.misc import PdfReadError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.rw_common import PdfHandler
from pyhanko.pdf_utils.xref import XRefSectionType
from pyhanko.sign.validation.pdf_embedded import extract_contents

_END = re.compile(rb"[\r\n]startxref\s*(\d+)\s*[\r\n]%%EOF")
_VERY_END = re.compile(_END.pattern + rb"\s*\Z")
_ANY_END = re.compile(rb"[\r\n]startxref[\s\0]*\d+[\s\0]*%%EOF")
"""As the most tolerant viewer reads it. The word alone may stand in what somebody has filled in."""
_NEARBY_BYTES = 2048
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Document:
    """`roots` are certificates, as asn1crypto has them."""

    reader: PdfFileReader
    file: BinaryIO
    size_bytes: int
    roots: Sequence[Any]
    now: datetime


def opened(file: BinaryIO) -> PdfFileReader:
    """Read a PDF, one that asks for no password.

    Not strictly: that would refuse what Word writes, and honest sloppiness, for no gain in safety. A file whose end is
    not where it should be is searched by pyHanko backwards, byte for byte.
    """
    if not _END.search(_tail(file)):
        raise PdfReadError("no end of a PDF")
    reader = PdfFileReader(file, strict=False)
    if reader.encrypted and reader.decrypt("").status is AuthStatus.FAILED:
        raise PdfReadError("the password is not known")
    return reader


def filled_fields(handler: PdfHandler) -> Iterator[tuple[str, DictionaryObject]]:
    """Yield each field that has a signature, with its name. Damaged ones too: pyHanko stops at those."""
    form = entry(handler.root, "/AcroForm")
    waiting = deque([(entry(form, "/Fields") if isinstance(form, DictionaryObject) else None, "", None)])
    seen = set()
    while waiting:
        fields, above, kind_above = waiting.popleft()
        for reference in fields if isinstance(fields, ArrayObject) else ():
            if not isinstance(reference, IndirectObject) or reference.reference in seen:
                continue
            seen.add(reference.reference)
            field = reference.get_object()  # type: ignore[no-untyped-call]
            if not isinstance(field, DictionaryObject):
                continue
            name = ".".join(str(part) for part in (above, entry(field, "/T")) if part)
            kind = entry(field, "/FT") or kind_above
            if kind == "/Sig" and _is_filled(field):
                yield name, field
            waiting.append((entry(field, "/Kids"), name, kind))


def _is_filled(field: DictionaryObject) -> bool:
    try:
        return entry(field, "/V") is not None
    except PdfReadError:
        return True


def entry(dictionary: DictionaryObject, key: str) -> Any:
    """Return what an entry refers to, which `get` does not."""
    if key not in dictionary:
        return None
    value = dictionary[key]
    return None if isinstance(value, NullObject) else value


def signature_values(handler: PdfHandler) -> set[tuple[str, bytes | None]]:
    """Return the names of the fields that have a signature, with its value; None where that is damaged."""
    return {(name, _value(field)) for name, field in filled_fields(handler)}


def _value(field: DictionaryObject) -> bytes | None:
    try:
        return extract_contents(entry(field, "/V"))
    except (PdfReadError, AttributeError):
        return None


def earlier_signature_values(reader: PdfFileReader) -> set[tuple[str, bytes | None]]:
    """Return what `signature_values` says of the revisions before the last one."""
    values: set[tuple[str, bytes | None]] = set()
    for revision in range(reader.total_revisions - 1):
        try:
            values |= signature_values(reader.get_historical_resolver(revision))
        except (PdfReadError, KeyError, AttributeError):
            continue  # the first revision of a linearized file is no whole document
    return values


def has_stray_signature(document: Document) -> bool:
    """Say if there is a signature that no field leads to, as where a byte of the way to it is damaged.

    Adobe's usage rights are one that belongs to no field.
    """
    rights = entry(document.reader.root, "/Perms")
    expected = int(isinstance(rights, DictionaryObject) and ("/UR3" in rights or "/UR" in rights))
    return _occurrences(document.file, b"/ByteRange") > expected


def _occurrences(file: BinaryIO, word: bytes) -> int:
    found, carried = 0, b""
    file.seek(0)
    while chunk := file.read(_CHUNK_BYTES):
        block = carried + chunk
        found += block.count(word)
        carried = block[1 - len(word) :]
    return found


def updates_behind(document: Document, place: int) -> int:
    """Count the updates behind a place by their ends, whether the chain of updates has them or not.

    The file is mapped, not read: what lies between two ends may be as long as it likes.
    """
    page = place // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
    with mmap.mmap(document.file.fileno(), 0, access=mmap.ACCESS_READ, offset=page) as rest:
        return sum(1 for _ in _ANY_END.finditer(rest, place - page))


def last_update(document: Document) -> int | None:
    """Return where the last update begins, as the very end of the file says."""
    end = _VERY_END.search(_tail(document.file))
    return int(end[1]) if end else None


def _tail(file: BinaryIO) -> bytes:
    file.seek(max(0, file.seek(0, os.SEEK_END) - _NEARBY_BYTES))
    return file.read()


def is_unambiguous(document: Document, revision: int) -> bool:
    """Say if every viewer finds the same in an update.

    Hybrid ones say one thing to old viewers and another to new ones. Where the table of objects is not where it should
    be, pyHanko looks nearby, and others collect all objects that they find.
    """
    table = document.reader.xrefs.get_xref_container_info(revision)
    document.file.seek(table.declared_startxref)
    begins = document.file.read(_NEARBY_BYTES).lstrip()[:4]
    return table.xref_section_type is not XRefSectionType.HYBRID_MAIN and (begins == b"xref" or begins[:1].isdigit())
