"""A PDF as pyHanko reads it: its fields with signatures, and its updates, as every viewer must find them."""

import mmap
import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO, TypeVar

from pyhanko.pdf_utils.crypt import AuthStatus
from pyhanko.pdf_utils.generic import (
    ArrayObject,
    ByteStringObject,
    DictionaryObject,
    IndirectObject,
    NullObject,
    TextStringObject,
)
from pyhanko.pdf_utils.misc import PdfReadError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.rw_common import PdfHandler
from pyhanko.pdf_utils.xref import XRefSectionType
from pyhanko.sign.validation.pdf_embedded import extract_contents

Found = TypeVar("Found")

_END = re.compile(rb"[\r\n]startxref\s*(\d+)\s*[\r\n]%%EOF")
_VERY_END = re.compile(_END.pattern + rb"\s*\Z")
_ANY_END = re.compile(rb"[\r\n]startxref[\s\0]*\d+[\s\0]*%%EOF")
"""As the most tolerant viewer reads it. The word alone may stand in what somebody has filled in."""
_NEARBY_BYTES = 2048
_BYTE_RANGE = re.compile(rb"/ByteRange\s*\[\s*(\d{1,15})\s+(\d{1,15})\s+(\d{1,15})\s")
_HEXADECIMAL = re.compile(rb"<((?:[0-9A-Fa-f]{2})+)>")


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
    return {(name, _value(field, "/V")) for name, field in filled_fields(handler)}


def _value(dictionary: DictionaryObject, key: str) -> bytes | None:
    try:
        return extract_contents(entry(dictionary, key))
    except (PdfReadError, AttributeError):
        return None


def earlier_signature_values(reader: PdfFileReader) -> set[tuple[str, bytes | None]]:
    """Return what `signature_values` says of the revisions before the last one."""
    return _of_earlier_revisions(reader, signature_values)


def _of_earlier_revisions(reader: PdfFileReader, look: Callable[[PdfHandler], set[Found]]) -> set[Found]:
    found: set[Found] = set()
    for revision in range(reader.total_revisions - 1):
        try:
            found |= look(reader.get_historical_resolver(revision))
        except (PdfReadError, KeyError, AttributeError):
            continue  # the first revision of a linearized file is no whole document
    return found


def has_stray_signature(document: Document, known: Set[bytes | None]) -> bool:
    """Say if there is a signature beside the known values, which no field leads to: one that an update hides, or where
    a byte of the way to it is damaged.

    Adobe's usage rights are one that belongs to no field, and an encrypted document's MAC looks like one.
    """
    others = _values_of_no_field(document.reader) | _of_earlier_revisions(document.reader, _values_of_no_field)
    return any(value not in known | others for value in _values_in_gaps(document))


def _values_of_no_field(handler: PdfHandler) -> set[bytes | None]:
    values: set[bytes | None] = set()
    permissions, code = entry(handler.root, "/Perms"), entry(handler.trailer_view, "/AuthCode")
    if isinstance(permissions, DictionaryObject):
        values |= {_value(permissions, "/UR3"), _value(permissions, "/UR")}
    mac = entry(code, "/MAC") if isinstance(code, DictionaryObject) else None
    if isinstance(mac, TextStringObject | ByteStringObject):
        values.add(mac.original_bytes)
    return values


def _values_in_gaps(document: Document) -> Iterator[bytes]:
    """Yield what stands, in hexadecimal, in the gap of each byte range in the file, whether an object has it or not.

    In a text, or in a document within this one, a byte range is not one of this file: its gap holds something else.
    """
    with mmap.mmap(document.file.fileno(), 0, access=mmap.ACCESS_READ) as file:
        for found in _BYTE_RANGE.finditer(file):
            start, length, gap_end = map(int, found.groups())
            value = _HEXADECIMAL.fullmatch(file, start + length, gap_end)
            if value:
                yield bytes.fromhex(value[1].decode())


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
