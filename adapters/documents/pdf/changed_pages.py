"""Draws the pages of a PDF that look different since a signature, as they were signed and as they are, by PDFium.

It runs in the process with limits, `pdf_examiner`, since a PDF may be hostile.
"""

import struct
import zlib
from itertools import product
from pathlib import Path

from pypdfium2 import PdfBitmap, PdfDocument

from adapters.documents.pdf.document import entry, filled_fields, opened
from adapters.documents.trust.certificates import storable

MOST_PAGES = 20
_SCALE = 1.5  # pixels for a point
_COLOURS = 3
_NEAR = 12  # rows of pixels; changes that lie nearer are one place
_RED, _LINE = (200, 0, 0, 255), 3


def draw_changed_pages(path: Path, field: str, folder: Path) -> list[int]:
    """Draw each page that looks different since a signature, 20 at most, and return the numbers of these pages.

    Writes `NUMBER-signed.png` and `NUMBER-now.png`, with frames around what differs. An added page has only the second.

    Args:
        path: the PDF.
        field: the field of the signature, as its verdict names it.
        folder: where the pictures are written.

    Raises:
        LookupError: the PDF has no signature in the field.
        PdfiumError: PDFium cannot read the PDF, as it is or as it was signed.
    """
    states = {"signed": PdfDocument(_signed_bytes(path, field)), "now": PdfDocument(path)}
    for each in states.values():
        each.init_forms()
    changed: list[int] = []
    for place in range(max(map(len, states.values()))):
        drawn = {
            name: document[place].render(_SCALE, rev_byteorder=True)
            for name, document in states.items()
            if place < len(document)
        }
        if len(changed) < MOST_PAGES and (len(drawn) == 1 or _frame_changes(*drawn.values())):
            changed.append(place + 1)
            for name, picture in drawn.items():
                (folder / f"{place + 1}-{name}.png").write_bytes(_png(picture))
    return changed


def _signed_bytes(path: Path, field: str) -> bytes:
    """Return the PDF as it was when somebody signed in a field: its bytes until the end of what the signature covers.

    Raises LookupError if no such field has a signature.
    """
    with path.open("rb") as file:
        signatures = {storable(name): entry(held, "/V") for name, held in filled_fields(opened(file))}
        *_, start, length = (int(each) for each in signatures[field]["/ByteRange"])
        file.seek(0)
        return file.read(start + length)


def _frame_changes(signed: PdfBitmap, now: PdfBitmap) -> bool:
    """Draw a frame around each place in which two pictures differ, and return whether they do."""
    if (signed.width, signed.height) != (now.width, now.height):
        return True
    places: list[tuple[int, int, int, int]] = []
    for row, (before, after) in enumerate(zip(_rows(signed), _rows(now), strict=True)):
        if before == after:
            continue
        columns = [
            place // _COLOURS for place, (one, other) in enumerate(zip(before, after, strict=True)) if one != other
        ]
        left, top, right = columns[0], row, columns[-1]
        if places and row - places[-1][3] <= _NEAR:
            before_left, top, before_right, _ = places.pop()
            left, right = min(left, before_left), max(right, before_right)
        places.append((left, top, right, row))
    for (left, top, right, bottom), picture in product(places, (signed, now)):
        _frame(picture, left - _NEAR, top - _NEAR, right - left + 2 * _NEAR, bottom - top + 2 * _NEAR)
    return bool(places)


def _rows(picture: PdfBitmap) -> list[bytes]:
    pixels, wide = bytes(picture.buffer), picture.width * _COLOURS
    return [pixels[begin : begin + wide] for begin in range(0, len(pixels), picture.stride)]


def _frame(picture: PdfBitmap, left: int, top: int, width: int, height: int) -> None:
    for x, y in ((left, top), (left, top + height - _LINE)):
        picture.fill_rect(_RED, x, y, width, _LINE)
    for x, y in ((left, top), (left + width - _LINE, top)):
        picture.fill_rect(_RED, x, y, _LINE, height)


def _png(picture: PdfBitmap) -> bytes:
    """Return a picture as PNG (ISO/IEC 15948): 8 bits for each of three colours, rows without a filter."""
    head = struct.pack(">IIBBBBB", picture.width, picture.height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + row for row in _rows(picture)))
    chunks = (b"IHDR" + head, b"IDAT" + rows, b"IEND")
    parts = (struct.pack(">I", len(each) - 4) + each + struct.pack(">I", zlib.crc32(each)) for each in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
