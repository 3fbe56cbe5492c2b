# mypy: disable-error-code="no-untyped-call"
"""Reads a PDF by pyHanko: its fields with signatures, and its updates as every viewer must find them."""

import mmap
import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from secrets import token_hex
from typing import Any, BinaryIO, TypeVar

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.crypt import AuthStatus, filter_mixins
from pyhanko.pdf_utils.crypt._util import aes_cbc_decrypt
from pyhanko.pdf_utils.misc import PdfReadError
from pyhanko.pdf_utils.reader import HistoricalResolver, PdfFileReader, RawPdfPath
from pyhanko.pdf_utils.rw_common import PdfHandler
from pyhanko.sign.validation.pdf_embedded import extract_contents

from adapters.documents.pdf.sections import Sections, arrange_sections
from adapters.documents.trust.evidence import NO_EVIDENCE, Evidence
from adapters.documents.trust.trust_lists import Listed
from models.archive.verdict import Wanted

Found = TypeVar("Found")

_END = re.compile(rb"[\s>]startxref\s*(\d+)\s+%%EOF")
_VERY_END = re.compile(_END.pattern + rb"\s*\Z")
_ANY_END = re.compile(rb"[\s>]startxref[\s\0]*\d+[\s\0]*%%EOF")
"""The end as the most tolerant viewer reads it. `startxref` alone may also be in the text of a field."""
_NEARBY_BYTES = 2048
_MOST_LINE_ENDS, _MOST_NODES_ABOVE = 64, 32
_BYTE_RANGE = re.compile(rb"/ByteRange\s*\[\s*(\d{1,15})\s+(\d{1,15})\s+(\d{1,15})\s")
DAMAGES = (PdfReadError, ValueError, LookupError, AttributeError, TypeError, AssertionError)
"""What pyHanko raises at a damaged part of a document."""
_HOLDERS = (generic.DictionaryObject, generic.ArrayObject)
TWIN = f".{token_hex(8)}."
"""Behind the name of a further field of one name. A document cannot know it, so no lock can name it."""
_HEXADECIMAL = re.compile(rb"<((?:[0-9A-Fa-f]{2})+)>")


@dataclass(frozen=True, slots=True)
class Document:
    """A PDF to judge. `roots` are certificates as objects of asn1crypto. `listed` are authorities of trust lists.

    `wanted` collects what would tell whether the certificates were revoked.
    """

    reader: PdfFileReader
    file: BinaryIO
    size_bytes: int
    roots: Sequence[Any]
    now: datetime
    evidence: Evidence = NO_EVIDENCE
    listed: Sequence[Listed] = ()
    wanted: list[Wanted] = field(default_factory=list)

    @property
    def judges_trust(self) -> bool:
        return bool(self.roots or self.listed)

    def anchors(self, at: datetime) -> list[Any]:
        """Return the certificates that are trusted without question at a time: roots, and authorities of lists."""
        return [*self.roots, *(each.certificate for each in self.listed if each.is_active(at))]


class _Revision(HistoricalResolver):
    """A revision whose lists and dictionaries can be walked, also in an encrypted document.

    pyHanko hides each in a proxy, at which its walks end: whatever lies behind would be an object that nothing uses.
    """

    def get_object(self, ref: generic.Reference, as_metadata_stream: bool = False) -> Any:
        found = super().get_object(ref, as_metadata_stream)
        waiting = [found] if self.reader.encrypted and isinstance(found, _HOLDERS) else []
        while waiting:
            holder = waiting.pop()
            parts = holder.items() if isinstance(holder, generic.DictionaryObject) else enumerate(holder)
            for key, part in list(parts):
                if isinstance(part, generic.DecryptedObjectProxy) and isinstance(part.raw_object, _HOLDERS):
                    holder[key] = part.decrypted
                    waiting.append(holder[key])
        return found


class _Reader(PdfFileReader):
    def get_historical_resolver(self, revision: int) -> HistoricalResolver:
        known: dict[int, HistoricalResolver] = self._historical_resolver_cache
        return known.setdefault(revision, known.get(revision) or _Revision(self, revision))


class PasswordNeeded(Exception):
    """The document opens with a password only."""


def opened(file: BinaryIO) -> PdfFileReader:
    """Read a PDF that needs no password.

    Not strictly: strict reading would refuse Word's files and other harmless faults, for no gain in safety. Refuse a
    file whose end is not in place: pyHanko would search for it backwards, byte for byte.
    """
    if not _END.search(_tail(file)):
        raise PdfReadError("no end of a PDF")
    filter_mixins.aes_cbc_decrypt = _decrypted  # type: ignore[attr-defined, assignment]
    reader = _Reader(file, strict=False)
    arrange_sections(reader, file)
    if reader.encrypted and not _opens_as_in_2008(reader) and reader.decrypt("").status is AuthStatus.FAILED:
        raise PasswordNeeded("the password is not known")
    return reader


def _decrypted(key: bytes, data: bytes, start: bytes) -> bytes:
    """Decrypt by AES. MuPDF and others leave an empty text empty, at which pyHanko fails."""
    return bytes(aes_cbc_decrypt(key, data, start)) if start else b""


def _opens_as_in_2008(reader: PdfFileReader) -> bool:
    """Return whether a document opens without a password by Adobe's first AES-256, which Acrobat 9 and iText 5 write.

    Source: Adobe Supplement to ISO 32000, extension level 3, algorithms 3.2a and 3.11 (`/R 5`). pyHanko lacks it.
    """
    handler, revision = reader.security_handler, entry(entry(reader.trailer_view, "/Encrypt"), "/R")
    check = handler.udata if revision == 5 else b""
    if sha256(check[32:40]).digest() != check[:32]:
        return False
    key = sha256(check[40:48]).digest()
    handler._shared_key = aes_cbc_decrypt(key, handler.ueseed, bytes(16), use_padding=False)
    return True


def filled_fields(handler: PdfHandler) -> Iterator[tuple[str, generic.DictionaryObject]]:
    """Yield each field that has a signature, with its name. Includes damaged fields, at which pyHanko stops."""
    return ((name, field) for name, field, kind in all_fields(handler) if kind == "/Sig" and _is_filled(field))


def all_fields(handler: PdfHandler) -> Iterator[tuple[str, generic.DictionaryObject, Any]]:
    """Yield each field and widget of the form, with its name and its kind. A field may be held directly by its list."""
    form = entry(handler.root, "/AcroForm")
    waiting: deque[tuple[Any, str, Any]] = deque(
        [(entry(form, "/Fields") if isinstance(form, generic.DictionaryObject) else None, "", None)]
    )
    seen = set()
    while waiting:
        fields, above, kind_above = waiting.popleft()
        for place, held in enumerate(fields if isinstance(fields, generic.ArrayObject) else ()):
            if isinstance(held, generic.IndirectObject):
                if held.reference in seen:
                    continue
                seen.add(held.reference)
            field = fields[place]
            if not isinstance(field, generic.DictionaryObject):
                continue
            name = ".".join(str(part) for part in (above, entry(field, "/T")) if part)
            kind = entry(field, "/FT") or kind_above
            yield name, field, kind
            waiting.append((entry(field, "/Kids"), name, kind))


def _is_filled(field: generic.DictionaryObject) -> bool:
    try:
        return entry(field, "/V") is not None
    except PdfReadError:
        return True


def entry(dictionary: generic.DictionaryObject, key: str) -> Any:
    """Return the object of an entry, None if the entry is missing or null. Unlike `get`, it resolves references."""
    try:
        value = dictionary[key]
    except KeyError:
        return None
    return None if isinstance(value, generic.NullObject) else value


def signature_values(handler: PdfHandler) -> set[tuple[str, bytes | None]]:
    """Return the names of the fields with a signature, each with its value, None if the value is damaged."""
    return {(name, _value(field, "/V")) for name, field in filled_fields(handler)}


def _value(dictionary: generic.DictionaryObject, key: str) -> bytes | None:
    try:
        return extract_contents(entry(dictionary, key))
    except (PdfReadError, AttributeError):
        return None


def earlier_signature_values(reader: PdfFileReader) -> set[tuple[str, bytes | None]]:
    """Return the `signature_values` of all revisions before the last."""
    return _of_earlier_revisions(reader, signature_values)


def _of_earlier_revisions(reader: PdfFileReader, look: Callable[[PdfHandler], set[Found]]) -> set[Found]:
    """Return what earlier revisions have. Leave out damaged ones: `has_stray_signature` finds their signatures."""
    found: set[Found] = set()
    for revision in range(reader.total_revisions - 1):
        with suppress(*DAMAGES):
            found |= look(reader.get_historical_resolver(revision))
    return found


def has_stray_signature(document: Document, known: Set[bytes | None]) -> bool:
    """Return whether the file has a signature that is not in `known` and that no field leads to. An update may hide
    the signature, or a byte on the way to it may be damaged.

    Two values belong to no field and are no stray signatures: Adobe's usage rights, and an encrypted document's MAC.
    """
    others = _values_of_no_field(document.reader) | _of_earlier_revisions(document.reader, _values_of_no_field)
    return any(value not in known | others for value in _values_in_gaps(document))


def _values_of_no_field(handler: PdfHandler) -> set[bytes | None]:
    values: set[bytes | None] = set()
    permissions, code = entry(handler.root, "/Perms"), entry(handler.trailer_view, "/AuthCode")
    if isinstance(permissions, generic.DictionaryObject):
        values |= {_value(permissions, "/UR3"), _value(permissions, "/UR")}
    mac = entry(code, "/MAC") if isinstance(code, generic.DictionaryObject) else None
    if isinstance(mac, generic.TextStringObject | generic.ByteStringObject):
        values.add(mac.original_bytes)
    return values


def _values_in_gaps(document: Document) -> Iterator[bytes]:
    """Yield the hexadecimal value in the gap of each byte range in the file, even if no object contains the range.

    A byte range in a text or in an embedded document does not describe this file: its gap holds no such value.
    """
    with mmap.mmap(document.file.fileno(), 0, access=mmap.ACCESS_READ) as file:
        for found in _BYTE_RANGE.finditer(file):
            start, length, gap_end = map(int, found.groups())
            value = _HEXADECIMAL.fullmatch(file, start + length, gap_end)
            if value:
                yield bytes.fromhex(value[1].decode())


def updates_behind(document: Document, place: int) -> int:
    """Return the number of updates that end behind the offset `place`, also of updates outside the chain of updates.

    The file is mapped, not read, since the bytes between two ends may have any length.
    """
    page = place // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
    with mmap.mmap(document.file.fileno(), 0, access=mmap.ACCESS_READ, offset=page) as rest:
        return sum(1 for _ in _ANY_END.finditer(rest, place - page))


def last_update(document: Document) -> int | None:
    """Return where the last update begins, according to the end of the file. None if the file does not end there."""
    end = _VERY_END.search(_tail(document.file))
    return int(end[1]) if end else None


def _tail(file: BinaryIO) -> bytes:
    file.seek(max(0, file.seek(0, os.SEEK_END) - _NEARBY_BYTES))
    return file.read()


def only_line_ends_follow(document: Document, place: int) -> bool:
    """Return whether nothing but ends of lines follows the offset `place`, as mail and writers append behind a file."""
    if document.size_bytes - place > _MOST_LINE_ENDS:
        return False
    document.file.seek(place)
    return not document.file.read().strip(b"\r\n")


def is_unambiguous(document: Document, revision: int) -> bool:
    """Return whether every viewer reads the same from an update.

    Hybrid updates may show old viewers different content than new viewers. If the table of objects is not in its place,
    pyHanko searches nearby, and other viewers collect all objects that they find.
    """
    sections = document.reader.xrefs
    document.file.seek(sections.get_xref_container_info(revision).declared_startxref)
    begins = document.file.read(_NEARBY_BYTES).lstrip()[:4]
    is_in_place = begins == b"xref" or begins[:1].isdigit()
    return is_in_place and isinstance(sections, Sections) and sections.hides_only_new_objects(revision)


def inherited(node: Any, key: str) -> Any:
    """Return an entry of a page or of the nearest node above it."""
    for _ in range(_MOST_NODES_ABOVE):
        if not isinstance(node, generic.DictionaryObject):
            return None
        if entry(node, key) is not None:
            return entry(node, key)
        node = entry(node, "/Parent")
    return None


def usages_of(revision: HistoricalResolver, reference: generic.Reference) -> set[RawPdfPath]:
    """Return the paths by which a revision uses an object. pyHanko, which is pinned, has no public way to them."""
    revision._load_reverse_xref_cache()
    return revision._get_usages_of_ref(reference)
