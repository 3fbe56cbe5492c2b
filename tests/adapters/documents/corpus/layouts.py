"""Writes the objects of a PDF to a file, in each of the ways that programs write their cross-references."""

import hashlib
import warnings
import zlib
from collections.abc import Iterable, Mapping
from io import BytesIO

import pikepdf

from tests.adapters.documents.corpus.forms import AGREED, AMOUNT, BANK, CATALOGUE, REMARKS, Objects, stream

_FREE = b"0000000000 65535 f \n"


def header(version: bytes = b"1.7") -> bytes:
    return b"%%PDF-%b\n%%\xe2\xe3\xcf\xd3\n" % version


def identifier(objects: Objects) -> bytes:
    digest = hashlib.md5(b"".join(objects.values()), usedforsecurity=False).hexdigest().encode()
    return b"/ID[<%b><%b>]" % (digest, digest)


def put(body: bytes, objects: Iterable[tuple[int, bytes]], places: dict[int, int]) -> bytes:
    for number, content in objects:
        places[number] = len(body)
        body += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    return body


def rows(numbers: Iterable[int], places: Mapping[int, int]) -> bytes:
    return b"".join(b"%010d 00000 n \n" % places[number] if number in places else _FREE for number in numbers)


def end(at: int) -> bytes:
    return b"startxref\n%d\n%%%%EOF\n" % at


def table(objects: Objects) -> bytes:
    places: dict[int, int] = {}
    body, size = put(header(), objects.items(), places), len(objects) + 1
    trailer = b"trailer\n<</Size %d/Root %d 0 R%b>>\n" % (size, CATALOGUE, identifier(objects))
    return body + b"xref\n0 %d\n%b%b" % (size, _FREE + rows(range(1, size), places), trailer) + end(len(body))


def _xref_stream(number: int, entries: Mapping[int, tuple[int, int, int]], more: bytes) -> bytes:
    """Return the object of a cross-reference stream with an entry per object from the first to the last."""
    first, last = min(entries), max(entries)
    packed = b"".join(
        bytes([kind]) + place.to_bytes(4) + index.to_bytes(2)
        for kind, place, index in (entries.get(each, (0, 0, 0)) for each in range(first, last + 1))
    )
    head = b"/Type/XRef/W[1 4 2]/Index[%d %d]%b/Filter/FlateDecode" % (first, last + 1 - first, more)
    return b"%d 0 obj\n%b\nendobj\n" % (number, stream(head, zlib.compress(packed)))


def _object_stream(objects: Objects) -> bytes:
    parts, index = b"", b""
    for number, content in objects.items():
        index += b"%d %d " % (number, len(parts))
        parts += content + b"\n"
    data = zlib.compress(index + parts)
    return stream(b"/Type/ObjStm/N %d/First %d/Filter/FlateDecode" % (len(objects), len(index)), data)


def with_xref_stream(objects: Objects, *, packed: Iterable[int] = ()) -> bytes:
    """Write a cross-reference stream, and the objects numbered `packed` into an object stream."""
    places: dict[int, int] = {}
    holder, table_number = len(objects) + 1, len(objects) + 2
    inner = {number: objects[number] for number in packed}
    outer = {number: content for number, content in objects.items() if number not in inner}
    if inner:
        outer[holder] = _object_stream(inner)
    body = put(header(), outer.items(), places)
    places[table_number] = len(body)
    entries = {0: (0, 0, 65535)} | {number: (1, place, 0) for number, place in places.items()}
    entries |= {number: (2, holder, index) for index, number in enumerate(inner)}
    more = b"/Size %d/Root %d 0 R%b" % (table_number + 1, CATALOGUE, identifier(objects))
    return body + _xref_stream(table_number, entries, more) + end(len(body))


def packed(objects: Objects) -> bytes:
    """Write all objects that may be in an object stream into an object stream."""
    return with_xref_stream(objects, packed=[number for number, content in objects.items() if b"stream" not in content])


def hybrid(objects: Objects) -> bytes:
    """Write a table for old viewers, whose trailer names a cross-reference stream with the fields (ISO 32000, 7.5.8.4).

    Old viewers find the fields free.
    """
    places: dict[int, int] = {}
    hidden = {number: objects[number] for number in (REMARKS, AMOUNT, AGREED, BANK)}
    holder, table_number = len(objects) + 1, len(objects) + 2
    visible = {number: content for number, content in objects.items() if number not in hidden}
    body = put(header(), [*visible.items(), (holder, _object_stream(hidden))], places)
    stream_at = len(body)
    entries = {number: (2, holder, index) for index, number in enumerate(hidden)}
    entries[holder] = (1, places.pop(holder), 0)
    size = table_number + 1
    body += _xref_stream(table_number, entries, b"/Size %d" % size)
    trailer = b"trailer\n<</Size %d/Root %d 0 R/XRefStm %d%b>>\n" % (size, CATALOGUE, stream_at, identifier(objects))
    return body + b"xref\n0 %d\n%b%b" % (size, _FREE + rows(range(1, size), places), trailer) + end(len(body))


def linearized_by_acrobat(objects: Objects) -> bytes:
    """Write the first page first. The main table comes last and is the *older* section; its trailer has no /Root.

    The end of the file names the table at the begin (ISO 32000, annex F).
    """
    late = {number: content for number, content in objects.items() if number not in _FIRST_PAGE}
    new_number = {old: new for new, old in enumerate([*late, *_FIRST_PAGE], start=1)}
    moved = {new_number[old]: _renumber(content, new_number) for old, content in objects.items()}
    first, dictionary, size = len(late) + 1, len(objects) + 1, len(objects) + 2
    early = {number: moved[number] for number in range(first, dictionary)}
    trailer = b"trailer\n<</Size %d/Root %d 0 R/Prev %010d%b>>\nstartxref\n0\n%%%%EOF\n"

    def written(main_at: int, length: int, first_end: int) -> tuple[bytes, int, int]:
        places: dict[int, int] = {}
        linear = b"<</Linearized 1/L %010d/H[0 0]/O %d/E %010d/N 1/T %010d>>"
        body = put(header(), [(dictionary, linear % (length, new_number[4], first_end, main_at))], places)
        table_at = len(body)
        table_size = len(b"xref\n%d %d\n" % (first, size - first)) + 20 * (size - first)
        ending = trailer % (size, new_number[CATALOGUE], main_at, identifier(objects))
        behind = put(body + bytes(table_size + len(ending)), early.items(), places)
        head = b"xref\n%d %d\n%b%b" % (first, size - first, rows(range(first, size), places), ending)
        page_end = len(behind)
        behind = put(behind, ((number, moved[number]) for number in range(1, first)), places)
        main = b"xref\n0 %d\n%btrailer\n<</Size %d>>\n" % (first, _FREE + rows(range(1, first), places), first)
        return body + head + behind[len(body + head) :] + main + end(table_at), len(behind), page_end

    draft, main_at, page_end = written(0, 0, 0)
    return written(main_at, len(draft), page_end)[0]


def linearized_with_streams(objects: Objects) -> bytes:
    """Write the first page first, with cross-reference streams, as Acrobat 6 and later do.

    The later objects are in an object stream behind the page; the main section lists them, and names no /Root.
    """
    late = {number: content for number, content in objects.items() if number not in _FIRST_PAGE}
    loose = (b"stream", b"Range")  # a signature may not be in an object stream
    plain = [number for number, content in late.items() if not any(word in content for word in loose)]
    holder, main_number = len(late) + 1, len(late) + 2
    new_number = {old: new for new, old in enumerate(late, start=1)}
    new_number |= {old: new for new, old in enumerate(_FIRST_PAGE, start=main_number + 1)}
    moved = {new_number[old]: _renumber(content, new_number) for old, content in objects.items()}
    first, dictionary = main_number + 1, main_number + 1 + len(_FIRST_PAGE)
    inner = {new_number[old]: moved[new_number[old]] for old in plain}

    def written(main_at: int, length: int, page_end: int, room: int) -> tuple[bytes, int, int]:
        places: dict[int, int] = {}
        linear = b"<</Linearized 1/L %010d/H[0 0]/O %d/E %010d/N 1/T %010d>>"
        body = put(header(), [(dictionary, linear % (length, new_number[4], page_end, main_at))], places)
        table_at = len(body)
        places[dictionary + 1] = table_at
        behind = put(body + bytes(room), ((number, moved[number]) for number in range(first, dictionary)), places)
        end_of_page = len(behind)
        outer = [(number, moved[number]) for number in range(1, holder) if number not in inner]
        behind = put(behind, [*outer, (holder, _object_stream(inner))], places)
        start = places[main_number] = len(behind)
        rows_of_main = {number: (1, place, 0) for number, place in places.items() if number < first}
        rows_of_main |= {number: (2, holder, index) for index, number in enumerate(inner)} | {0: (0, 0, 65535)}
        behind += _xref_stream(main_number, rows_of_main, b"/Size %d" % first) + end(table_at)
        rows_of_page = {number: (1, place, 0) for number, place in places.items() if number >= first}
        more = b"/Size %d/Root %d 0 R/Prev %010d%b" % (
            dictionary + 2,
            new_number[CATALOGUE],
            main_at,
            identifier(objects),
        )
        head = (_xref_stream(dictionary + 1, rows_of_page, more) + b"startxref\n0\n%%EOF\n").ljust(room)
        return body + head + behind[table_at + room :], start, end_of_page

    draft, main_at, page_end = written(0, 0, 0, 600)
    return written(main_at, len(draft), page_end, 600)[0]


_FIRST_PAGE = (1, 4, 5, 10)


def _renumber(content: bytes, new_number: Mapping[int, int]) -> bytes:
    head, mark, data = content.partition(b"stream\n")
    parts = head.split(b" 0 R")
    for place, part in enumerate(parts[:-1]):
        digits = len(part) - len(part.rstrip(b"0123456789"))
        old = int(part[-digits:])
        parts[place] = part[:-digits] + b"%d" % new_number.get(old, old)
    return b" 0 R".join(parts) + mark + data


def linearized_by_qpdf(objects: Objects, *, packed: bool = False) -> bytes:
    return _by_pikepdf(
        table(objects),
        linearize=True,
        object_stream_mode=pikepdf.ObjectStreamMode.generate if packed else pikepdf.ObjectStreamMode.disable,
    )


def encrypted(objects: Objects, revision: int, *, is_aes: bool) -> bytes:
    """Write the file so that it opens without a password. Revision 2 is RC4 of 40 bits, 6 is AES of 256.

    Revision 5 is Adobe's first AES of 256 bits, against which pikepdf warns.
    """
    protection = pikepdf.Encryption(owner="owner", user="", R=revision, aes=is_aes, metadata=is_aes)  # type: ignore[arg-type]
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        return _by_pikepdf(table(objects), encryption=protection)


def _by_pikepdf(pdf: bytes, **options: object) -> bytes:
    output = BytesIO()
    with pikepdf.open(BytesIO(pdf)) as opened:
        opened.save(output, deterministic_id="encryption" not in options, **options)  # type: ignore[arg-type]
    return output.getvalue()
