"""Decodes the text that a font of a PDF shows.

Source: ISO 32000-2, 7.3.4 (strings), 9.10.3 (ToUnicode CMaps).
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from pyhanko.pdf_utils.generic import DictionaryObject, StreamObject

from adapters.documents.pdf.document import entry

Decoder = Callable[[bytes], str]

_ESCAPE = re.compile(rb"\\([0-7]{1,3}|\r\n|.)", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"\n": b"", b"\r": b"", b"\r\n": b""}
_SECTION = re.compile(rb"beginbf(char|range)(.*?)endbf", re.DOTALL)
_CHARACTER = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>")
_RANGE = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*(?:<([0-9A-Fa-f]+)>|\[([^\]]*)\])")
_HEXADECIMAL = re.compile(rb"<([0-9A-Fa-f]+)>")
_LARGEST_RANGE = 1 << 16
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


def is_of_every_viewer(font: object) -> bool:
    """Return whether a font has neither letters nor an encoding of its own."""
    return font is None or (isinstance(font, DictionaryObject) and not font.keys() & _OWN_LETTERS)
