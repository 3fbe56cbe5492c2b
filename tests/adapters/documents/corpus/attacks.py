# mypy: disable-error-code="no-untyped-call"
"""Forgeries byte by byte: of signature values (universal forgery), of the signed range (wrapping), of updates.

Source: Mladenov, Mainka, Meyer zu Selhausen, Grothe, Schwenk: 1 Trillion Dollar Refund (2019), pdf-insecurity.org.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial

from tests import pdfs
from tests.adapters.documents.corpus.edits import filled, with_content
from tests.adapters.documents.corpus.forms import stream
from tests.adapters.documents.corpus.signatures import signed, with_validation_data
from tests.adapters.documents.corpus.writing import appended, startxref

_RANGE = re.compile(rb"/ByteRange ?\[[^\]]*\]")
_VALUE = re.compile(rb"/Contents ?<[0-9A-Fa-f]+>")


def substituted(pdf: bytes, pattern: re.Pattern[bytes], new: bytes) -> bytes:
    """Replace the last match by `new` and spaces, so that nothing moves."""
    found = list(pattern.finditer(pdf))[-1]
    assert len(new) <= len(found[0])
    return pdf[: found.start()] + new.ljust(len(found[0])) + pdf[found.end() :]


def forged_dictionary(pdf: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Repeat the signature dictionary, changed, in an update that also replaces the page."""
    found = list(re.finditer(rb"(\d+) 0 obj\s*(<<(?:(?!endobj).)*/ByteRange.*?>>)\s*endobj", pdf, re.DOTALL))[-1]
    content = re.search(rb"(\d+) 0 obj\s*<<[^>]*?/Length \d+\s*>>\s*stream\s*BT", pdf)
    assert content
    page = stream(b"", b"BT /Helv 12 Tf 72 720 Td (I owe you 900) Tj ET")
    return appended(pdf, {int(found[1]): change(found[2]), int(content[1]): page})


def _range_as(text: bytes) -> Callable[[bytes], bytes]:
    return lambda dictionary: _RANGE.sub(text, dictionary)


def _value_as(text: bytes) -> Callable[[bytes], bytes]:
    return lambda dictionary: _VALUE.sub(text, dictionary)


def flipped(pdf: bytes, old: bytes, new: bytes) -> bytes:
    assert old in pdf
    return pdf.replace(old, new, 1)


def value_flipped(pdf: bytes, share: float = 0.99) -> bytes:
    """Change a digit of the signature value: near its end is the value itself, near its begin the certificate."""
    start, end = pdfs.value_range(pdf)
    place = start + int(share * len(pdf[start:end].rstrip(b"0")))
    return pdf[:place] + (b"1" if pdf[place : place + 1] != b"1" else b"2") + pdf[place + 1 :]


def value_of_another(pdf: bytes) -> bytes:
    """Put in the value of the same signer's signature on another document."""
    other = signed(filled(pdf, text="Something else"), "Another")
    start, end = pdfs.value_range(pdf)
    other_start, other_end = pdfs.value_range(other)
    return pdf[:start] + other[other_start:other_end].ljust(end - start, b"0")[: end - start] + pdf[end:]


def cut_to_first_revision(pdf: bytes) -> bytes:
    """Return the file as it was before its last update."""
    ends = [found.end() for found in re.finditer(rb"%%EOF\r?\n?", pdf)]
    return pdf[: ends[-2]]


def _without_table(pdf: bytes) -> bytes:
    """Append objects without a cross-reference table, as a viewer that repairs files would find them."""
    edited = with_content(pdf)
    update = edited[len(pdf) :]
    return pdf + update[: update.rindex(b"xref\n") if b"\nxref" in update else None]


def _with_end_repeated(pdf: bytes) -> bytes:
    """Append an update, and behind it the signed end, which leads around the update."""
    return with_content(pdf) + b"startxref\n%d\n%%%%EOF\n" % startxref(pdf)


def _skipping(pdf: bytes) -> bytes:
    """Append an update that replaces the page, and validation data whose chain of updates leaves it out."""
    hidden, visible = with_content(pdf), with_validation_data(pdf)
    moved = len(hidden) - len(pdf)
    update = re.sub(
        rb"(\d{10}) (\d{5} n)",
        lambda entry: b"%010d %b" % (int(entry[1]) + (moved if int(entry[1]) >= len(pdf) else 0), entry[2]),
        visible[len(pdf) :],
    )
    return hidden + re.sub(rb"startxref\n(\d+)", lambda at: b"startxref\n%d" % (int(at[1]) + moved), update)


def _catalogue_replaced(pdf: bytes) -> bytes:
    """Let an update name another catalogue, with another page and the same form."""
    found = re.findall(rb"/AcroForm (\d+ 0 R)", pdf)[-1]
    size = max(map(int, re.findall(rb"/Size (\d+)", pdf)))
    objects = {
        size: b"<</Type/Catalog/Pages %d 0 R/AcroForm %b>>" % (size + 1, found),
        size + 1: b"<</Type/Pages/Kids[%d 0 R]/Count 1>>" % (size + 2),
        size + 2: b"<</Type/Page/Parent %d 0 R/MediaBox[0 0 595 842]/Contents %d 0 R/Resources<<>>>>"
        % (size + 1, size + 3),
        size + 3: stream(b"", b"0 0 595 842 re f"),
    }
    update = appended(pdf, objects)
    at = update.rindex(b"/Root ")
    return update[:at] + re.sub(rb"/Root \d+ 0 R", b"/Root %d 0 R" % size, update[at:], count=1)


def _range_moved(pdf: bytes) -> bytes:
    """Signature wrapping: the range of the signature leaves a larger gap, which holds a further object."""
    _, end = pdfs.value_range(pdf)
    room = b"\n99 0 obj\n%b\nendobj\n" % stream(b"", b"BT /Helv 12 Tf 72 720 Td (I owe you 900) Tj ET")
    gap = re.findall(rb"/ByteRange \[0 (\d+) (\d+) (\d+) *\]", pdf)[-1]
    before, after, rest = map(int, gap)
    moved = pdf[: end + 1] + room + pdf[end + 1 :]
    new = b"/ByteRange [0 %d %d %d]" % (before, after + len(room), rest)
    return substituted(moved, _RANGE, new)


def _second_range(pdf: bytes) -> bytes:
    """Add a second range and value to the signature by an update: viewers differ on which of two entries counts."""
    return forged_dictionary(pdf, lambda dictionary: dictionary[:-2] + b"/ByteRange [0 0 0 0]/Contents<00>>>")


_HEAD = re.compile(rb"%PDF-1\.\d")

STEPS: Mapping[str, Callable[[bytes], bytes]] = {
    # bytes behind the end
    "comment appended": lambda pdf: pdf + b"% evil\n",
    "many bytes appended": lambda pdf: pdf + b"% evil, and again\n" * 100,
    "NUL appended": lambda pdf: pdf + b"\0",
    "newline appended": lambda pdf: pdf + b"\n",
    "CRLF appended": lambda pdf: pdf + b"\r\n",
    "newlines appended": lambda pdf: pdf + b"\n\n\n",
    "a hundred newlines appended": lambda pdf: pdf + b"\n" * 100,
    "another document appended": lambda pdf: pdf + pdfs.document([b"<</Type/Catalog/Pages 2 0 R>>", pdfs.PAGES]),
    "objects appended without a table": _without_table,
    "old end appended": _with_end_repeated,
    "update that the chain leaves out": _skipping,
    "bytes put before the header": lambda pdf: b"evil\n" + pdf,
    # bytes in the signed range
    "amount flipped": partial(flipped, old=b"I owe you 100", new=b"I owe you 900"),
    "header flipped": lambda pdf: _HEAD.sub(b"%PDF-1.3", pdf, count=1),
    "field name flipped": partial(flipped, old=b"(Amount)", new=b"(Bmount)"),
    "value flipped at its end": value_flipped,
    "value flipped at its begin": partial(value_flipped, share=0.001),
    "value flipped in the certificate": partial(value_flipped, share=0.3),
    "value of another signature": value_of_another,
    "cut to the first revision": cut_to_first_revision,
    "cut in the middle": lambda pdf: pdf[: len(pdf) // 2],
    "cut by two thousand bytes": lambda pdf: pdf[:-2000],
    # universal signature forgery, in place
    "range emptied": lambda pdf: substituted(pdf, _RANGE, b"/ByteRange []"),
    "range of zeros": lambda pdf: substituted(pdf, _RANGE, b"/ByteRange [0 0 0 0]"),
    "range negative": lambda pdf: substituted(pdf, _RANGE, b"/ByteRange [0 -1 -1 9]"),
    "range null": lambda pdf: substituted(pdf, _RANGE, b"/ByteRange null"),
    "range missing": lambda pdf: substituted(pdf, _RANGE, b""),
    "range of names": lambda pdf: substituted(pdf, _RANGE, b"/ByteRange [/a /b /c /d]"),
    "range of one part": lambda pdf: substituted(pdf, _RANGE, b"/ByteRange [0 9]"),
    "range far outside": lambda pdf: substituted(pdf, _RANGE, b"/ByteRange [0 9 99 999999999]"),
    "value emptied": lambda pdf: substituted(pdf, _VALUE, b"/Contents <>"),
    "value null": lambda pdf: substituted(pdf, _VALUE, b"/Contents null"),
    "value zero": lambda pdf: substituted(pdf, _VALUE, b"/Contents <00>"),
    "value missing": lambda pdf: substituted(pdf, _VALUE, b""),
    # universal signature forgery, by an update that repeats the dictionary
    "range forged: missing": partial(forged_dictionary, change=_range_as(b"")),
    "range forged: null": partial(forged_dictionary, change=_range_as(b"/ByteRange null")),
    "range forged: zeros": partial(forged_dictionary, change=_range_as(b"/ByteRange [0 0 0 0]")),
    "range forged: negative": partial(forged_dictionary, change=_range_as(b"/ByteRange [-1 -1 -1 -1]")),
    "value forged: missing": partial(forged_dictionary, change=_value_as(b"")),
    "value forged: null": partial(forged_dictionary, change=_value_as(b"/Contents null")),
    "value forged: zero": partial(forged_dictionary, change=_value_as(b"/Contents <00>")),
    "value forged: repeated": partial(forged_dictionary, change=lambda dictionary: dictionary),
    "range doubled": _second_range,
    "filter unknown": lambda pdf: pdf.replace(
        b"/SubFilter /adbe.pkcs7.detached", b"/SubFilter /adbe.x509.rsa_sha1 "[:31]
    ),
    # signature wrapping
    "gap widened": _range_moved,
    "wrapped around another document": pdfs.wrapped,
    "catalogue replaced": _catalogue_replaced,
}
