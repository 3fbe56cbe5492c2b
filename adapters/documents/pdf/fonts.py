"""Decodes the text that a font of a PDF shows, and says how wide its letters are.

Source: ISO 32000-2, 7.3.4 (strings), 9.10.3 (ToUnicode CMaps), 9.6.2, 9.6.4 and 9.7.4.3 (widths).
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, StreamObject

from adapters.documents.pdf.document import DAMAGES, entry

Decoder = Callable[[bytes], str]

_ESCAPE = re.compile(rb"\\([0-7]{1,3}|\r\n|.)", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"\n": b"", b"\r": b"", b"\r\n": b""}
_SECTION = re.compile(rb"beginbf(char|range)(.*?)endbf", re.DOTALL)
_CHARACTER = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>")
_RANGE = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*(?:<([0-9A-Fa-f]+)>|\[([^\]]*)\])")
_HEXADECIMAL = re.compile(rb"<([0-9A-Fa-f]+)>")
_LARGEST_RANGE = 1 << 16
_LAST_CODE = 0xFFFF
_HELVETICA = (
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 278 278 "
    "584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 722 667 611 722 667 944 "
    "667 667 611 278 278 278 469 556 333 556 556 500 556 556 278 556 556 222 222 500 222 833 556 556 556 556 333 500 "
    "278 556 500 722 500 500 500 334 260 334 584"
)
_OF_HELVETICA = {code: int(width) / 1000 for code, width in enumerate(_HELVETICA.split(), start=32)}
"""Viewers know the widths of their own fonts. Those of Helvetica come near the others."""
_OTHER_WIDTH = 0.5
_OWN_LETTERS = {"/FontDescriptor", "/DescendantFonts", "/CharProcs", "/Encoding"}


def string_bytes(token: bytes) -> bytes:
    """Return the bytes of a string as a content stream writes it, in parentheses or hexadecimal."""
    if token.startswith(b"<"):
        digits = re.sub(rb"[^0-9A-Fa-f]", b"", token)
        return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode())
    return _ESCAPE.sub(lambda found: _unescaped(found[1]), token[1:-1])


def _unescaped(escape: bytes) -> bytes:
    if escape[:1].isdigit():
        return bytes([int(escape, 8) & 0xFF])
    return _ESCAPED.get(escape, escape)


def decoder_of(font: Any) -> Decoder | None:
    """Return a function that turns the codes of a font into text. None if nothing of the font says how.

    A code that its table leaves out stands for itself. A composite font has codes of two bytes.
    """
    if not isinstance(font, DictionaryObject):
        return None
    width = 2 if entry(font, "/Subtype") == "/Type0" else 1
    table = entry(font, "/ToUnicode")
    letters = _letters(table.data) if isinstance(table, StreamObject) else {}
    if not letters and width == 1:
        return None

    def decode(shown: bytes) -> str:
        codes = [shown[place : place + width] for place in range(0, len(shown), width)]
        return "".join(letters.get(int.from_bytes(code), code.decode("latin-1")) for code in codes)

    return decode


def _letters(table: bytes) -> Mapping[int, str]:
    letters: dict[int, str] = {}
    for kind, section in _SECTION.findall(table):
        if kind == b"char":
            letters |= {int(code, 16): _text(text) for code, text in _CHARACTER.findall(section)}
            continue
        for first, last, text, texts in _RANGE.findall(section):
            begin, end = int(first, 16), min(int(last, 16), int(first, 16) + _LARGEST_RANGE)
            if text:
                letters |= {code: _shifted(text, code - begin) for code in range(begin, end + 1)}
            else:
                letters |= dict(enumerate(map(_text, _HEXADECIMAL.findall(texts)), start=begin))
    return letters


def _text(digits: bytes) -> str:
    return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode()).decode("utf-16-be", "replace")


def _shifted(digits: bytes, by: int) -> str:
    number = int(digits, 16) + by
    return number.to_bytes(max(2, (len(digits) + 1) // 2)).decode("utf-16-be", "replace")


def widths_of(font: DictionaryObject) -> tuple[Mapping[int, float], float]:
    """Return the widths of the codes of a font, and of all others, as parts of the size."""
    with suppress(*DAMAGES):
        return _stated_widths(font)
    return _OF_HELVETICA, _OTHER_WIDTH


def _stated_widths(font: DictionaryObject) -> tuple[Mapping[int, float], float]:
    inner, widths = entry(font, "/DescendantFonts"), entry(font, "/Widths")
    if isinstance(inner, ArrayObject):
        found, other = _widths_of_glyphs(entry(inner[0], "/W") or ArrayObject()), entry(inner[0], "/DW")
        return found, float(1000 if other is None else other) / 1000
    if not isinstance(widths, ArrayObject):
        is_fixed = "cour" in str(entry(font, "/BaseFont")).lower()
        return ({}, 0.6) if is_fixed else (_OF_HELVETICA, _OTHER_WIDTH)
    matrix, about = entry(font, "/FontMatrix"), entry(font, "/FontDescriptor")
    unit = abs(float(matrix[0])) if matrix else 1 / 1000
    missing = entry(about, "/MissingWidth") if isinstance(about, DictionaryObject) else None
    known = enumerate(map(float, widths), start=int(entry(font, "/FirstChar") or 0))
    return {code: width * unit for code, width in known}, _OTHER_WIDTH if missing is None else float(missing) * unit


def _widths_of_glyphs(listed: ArrayObject) -> Mapping[int, float]:
    found: dict[int, float] = {}
    place = 0
    while place + 1 < len(listed):
        first, held = int(listed[place]), listed[place + 1]
        is_list = isinstance(held, ArrayObject)
        found |= dict(
            enumerate((float(each) / 1000 for each in held), start=first)
            if is_list
            else dict.fromkeys(range(first, min(int(held), _LAST_CODE) + 1), float(listed[place + 2]) / 1000)
        )
        place += 2 if is_list else 3
    return found


def is_of_every_viewer(font: object) -> bool:
    """Return whether a font has neither letters nor an encoding of its own."""
    return font is None or (isinstance(font, DictionaryObject) and not font.keys() & _OWN_LETTERS)
