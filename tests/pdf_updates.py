"""Makes PDFs and updates byte by byte, as writers make them whose output pyHanko does not imitate."""

import re
from collections.abc import Mapping, Sequence

from tests.pdfs import stream

FONT = b"<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>"
_CATALOGUE, _PAGES, _PAGE, _CONTENTS, _FORM, _FONT, FIELD, APPEARANCE = range(1, 9)


def form(
    value: bytes = b"(World Health Organisation)", text: bytes | None = None, extra: Mapping[int, bytes] | None = None
) -> list[bytes]:
    """Return the objects of a form with a text field. `text` is what the field's appearance shows."""
    objects = [
        b"<</Type /Catalog /Pages 2 0 R /AcroForm 5 0 R>>",
        b"<</Type /Pages /Kids [3 0 R] /Count 1>>",
        b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources <</Font <</F1 6 0 R>>>>"
        b" /Annots [7 0 R]>>",
        stream(b"", b"BT /F1 12 Tf 72 720 Td (I owe you 100) Tj ET"),
        b"<</Fields [7 0 R] /DR <</Font <</F1 6 0 R>>>> /DA (/F1 12 Tf 0 g)>>",
        FONT,
        text_field(value),
        appearance(value if text is None else text),
    ]
    for number, body in sorted((extra or {}).items()):
        objects[number - 1 : number] = [body]
    return objects


def text_field(value: bytes, appearance_number: int = APPEARANCE, entries: bytes = b"") -> bytes:
    return (
        b"<</Type /Annot /Subtype /Widget /FT /Tx /T (Payee) /Rect [72 600 300 620] /P 3 0 R /DA (/F1 12 Tf 0 g)"
        b" /V %b /AP <</N %d 0 R>> %b>>" % (value, appearance_number, entries)
    )


def appearance(text: bytes, drawing: bytes = b"", font: bytes = b"6 0 R") -> bytes:
    entries = b"/Type /XObject /Subtype /Form /BBox [0 0 228 20] /Resources <</Font <</F1 %b>>>>" % font
    return stream(entries, b"/Tx BMC q BT /F1 12 Tf 2 6 Td %b Tj ET Q %b EMC" % (text, drawing))


def document(objects: Sequence[bytes]) -> bytes:
    """Return a PDF with an ordinary table."""
    return _with_table(b"%PDF-1.7\n", dict(enumerate(objects, start=1)), {0: 65535}, b"")


def appended(
    pdf: bytes,
    objects: Mapping[int, bytes],
    *,
    free: Mapping[int, int] | None = None,
    hidden: Mapping[int, bytes] | None = None,
    trailer: bytes = b"",
) -> bytes:
    """Append an update. `free` are numbers with generations; `hidden` are objects for new viewers alone."""
    entries = b" /Prev %d" % int(re.findall(rb"startxref\s+(\d+)", pdf)[-1]) + trailer
    return _with_table(pdf, objects, {0: 65535} | dict(free or {}), entries, hidden)


def _with_table(
    pdf: bytes,
    objects: Mapping[int, bytes],
    free: Mapping[int, int],
    trailer: bytes,
    hidden: Mapping[int, bytes] | None = None,
) -> bytes:
    places: dict[int, bytes] = {number: b"0000000000 %05d f \n" % generation for number, generation in free.items()}
    for number, body in objects.items():
        places[number] = b"%010d 00000 n \n" % len(pdf)
        pdf += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    size = max(*places, *map(int, re.findall(rb"/Size (\d+)", pdf)), 0) + 1
    if hidden:
        pdf, number = _with_hidden(pdf, hidden, size)
        trailer += b" /XRefStm %d" % pdf.rindex(b"%d 0 obj" % number)
        size = number + 1
    start = len(pdf)
    rows = b"".join(b"%d 1\n%b" % row for row in sorted(places.items()))
    return pdf + b"xref\n%btrailer\n<</Size %d /Root 1 0 R%b>>\nstartxref\n%d\n%%%%EOF\n" % (rows, size, trailer, start)


def _with_hidden(pdf: bytes, hidden: Mapping[int, bytes], size: int) -> tuple[bytes, int]:
    entries, index = b"", b""
    for number, body in sorted(hidden.items()):
        entries += b"\1" + len(pdf).to_bytes(4) + b"\0\0"
        index += b"%d 1 " % number
        pdf += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    number = max(size, *(each + 1 for each in hidden))
    described = b"/Type /XRef /W [1 4 2] /Size %d /Index [%b] /Root 1 0 R" % (number + 1, index)
    return pdf + b"%d 0 obj\n%b\nendobj\n" % (number, stream(described, entries)), number
