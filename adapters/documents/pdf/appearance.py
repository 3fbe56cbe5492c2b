"""Reads what the appearance of an annotation draws: its text, and whether anything else may stand in for text.

Source: ISO 32000-2, 8.2 (operators), 9.4.3 (text-showing operators), 12.5.5 (appearance streams).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pyhanko.pdf_utils.generic import DictionaryObject, IndirectObject, Reference, StreamObject

from adapters.documents.pdf.document import entry
from adapters.documents.pdf.fonts import Decoder, decoder_of, string_bytes

_HIDDEN = 2 | 32  # flags Hidden and NoView
_DEEPEST = 8
_TOKEN = re.compile(
    rb"(?P<string><(?!<)[0-9A-Fa-f\s]*>)|(?P<text>\()"
    rb"|(?P<name>/[^\s()<>\[\]{}/%]*)|(?P<number>[-+]?\.?\d[\d.]*)|(?P<comment>%[^\r\n]*)"
    rb"|(?P<operator>[A-Za-z'\"*]+[01]?\*?)|(?P<other><<|>>|[\[\]{}])"
)
_PARENTHESIS = re.compile(rb"\\.|[()]", re.DOTALL)
_INLINE_IMAGE = re.compile(rb"\bBI\b.*?\bID\b.*?\bEI\b", re.DOTALL)
_SHOWING = {b"Tj", b"TJ", b"'", b'"'}
_CURVES = {b"c", b"v", b"y"}
_LINES = {b"l", b"re"}
_FILLING = {b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*", b"sh"}
_STROKING = {b"S", b"s"}
_WIDEST_LINE = 3  # points
_COLORS = {b"g", b"rg", b"k", b"sc", b"scn"}
_PALE = 0.85
_MOST_OF_A_MASK = 127  # of 255
_MOST_OF_A_VEIL = 0.7


@dataclass(slots=True)
class Drawing:
    """What an appearance draws. `curves`, `lines` and `images` count what may be letters without being text.

    `pictures` are the images that hide what is below, `areas` what is filled or drawn by wide lines, and `outlines` the
    curves that are not drawn as a veil.
    `fonts` are its fonts, each with its reference, None if held directly. `hides_text`: some of the text is not drawn,
    is drawn in a pale color, or is painted over.
    """

    text: str = ""
    hides_text: bool = False
    curves: int = 0
    lines: int = 0
    images: int = 0
    pictures: int = 0
    areas: int = 0
    outlines: int = 0
    fonts: list[tuple[Reference | None, Any]] = field(default_factory=list)

    @property
    def signs(self) -> tuple[str, int, int, int]:
        """Return what may tell a pressed button from a button that is not pressed."""
        return "".join(self.text.split()), self.curves, self.lines, self.images


def shown_stream(annotation: DictionaryObject) -> StreamObject | None:
    """Return the appearance that a viewer shows: of the annotation's state, if it has states."""
    appearances = entry(annotation, "/AP")
    shown = entry(appearances, "/N") if isinstance(appearances, DictionaryObject) else None
    if isinstance(shown, DictionaryObject) and not isinstance(shown, StreamObject):
        state = entry(annotation, "/AS")
        shown = entry(shown, state) if isinstance(state, str) else None
    return shown if isinstance(shown, StreamObject) else None


def is_hidden(annotation: DictionaryObject) -> bool:
    flags = entry(annotation, "/F")
    return isinstance(flags, int) and bool(flags & _HIDDEN)


def drawing_of(annotation: DictionaryObject) -> Drawing | None:
    """Return what the appearance of an annotation draws. None if a viewer makes the appearance itself."""
    stream = shown_stream(annotation)
    if stream is None:
        return None
    drawing = Drawing()
    _draw(drawing, stream, 0)
    return drawing


def _draw(drawing: Drawing, stream: StreamObject, depth: int, *, is_veil: bool = False) -> None:
    resources = entry(stream, "/Resources")
    content = stream.data
    drawing.images += (inline := len(_INLINE_IMAGE.findall(content)))
    drawing.pictures += inline
    decode: Decoder | None = None
    operands: list[tuple[str, bytes]] = []
    pale, is_wide, saved = False, False, []
    for kind, token in tokens_of(_INLINE_IMAGE.sub(b" ", content)):
        if kind != "operator":
            operands.append((kind, token))
            continue
        if token == b"Tf":
            decode = _font(drawing, resources, _last_name(operands))
        elif token in _SHOWING:
            shown = b"".join(string_bytes(text) for kind, text in operands if kind == "string")
            drawing.text += decode(shown) if decode else shown.decode("latin-1")
            drawing.hides_text |= pale
        elif token in _COLORS:
            pale = is_pale(token, operands)
        elif token == b"q":
            saved.append((pale, is_veil))
        elif token == b"Q" and saved:
            pale, is_veil = saved.pop()
        elif token == b"gs":
            is_veil = _is_veil(named_resource(resources, "/ExtGState", _last_name(operands)))
        elif token == b"Tr":
            drawing.hides_text |= bool(operands) and operands[-1][1] != b"0"
        elif token == b"Do":
            _draw_object(drawing, named_resource(resources, "/XObject", _last_name(operands)), depth, is_veil=is_veil)
        elif token == b"w":
            is_wide = max(numbers_of(operands), default=0) > _WIDEST_LINE
        if token in _FILLING or (is_wide and token in _STROKING):
            drawing.images += token == b"sh"
            drawing.areas += 1
            drawing.hides_text |= bool(drawing.text.strip())
        drawing.curves += token in _CURVES
        drawing.outlines += token in _CURVES and not is_veil
        drawing.lines += token in _LINES
        operands.clear()


def numbers_of(operands: list[tuple[str, bytes]]) -> list[float]:
    return [float(number) for kind, number in operands if kind == "number" and number.count(b".") < 2]


def is_pale(operator: bytes, operands: list[tuple[str, bytes]]) -> bool:
    """Return whether a color is almost white."""
    parts = numbers_of(operands)
    if not parts:
        return False
    is_ink = operator == b"k" or len(parts) == 4
    return max(parts) <= 1 - _PALE if is_ink else min(parts) >= _PALE


def tokens_of(content: bytes) -> Iterator[tuple[str, bytes]]:
    place = 0
    while found := _TOKEN.search(content, place):
        place = found.end()
        if found.lastgroup == "text":
            place = _string_end(content, place)
            yield "string", content[found.start() : place]
        elif found.lastgroup and found.lastgroup != "comment":
            yield found.lastgroup, found[0]


def _string_end(content: bytes, place: int) -> int:
    """Return where a string ends whose first parenthesis is before `place`. Parentheses in it are balanced."""
    depth = 1
    for found in _PARENTHESIS.finditer(content, place):
        depth += {b"(": 1, b")": -1}.get(found[0], 0)
        if not depth:
            return found.end()
    return len(content)


def _last_name(operands: list[tuple[str, bytes]]) -> str:
    names = [token for kind, token in operands if kind == "name"]
    return names[-1].decode("latin-1") if names else ""


def named_resource(resources: Any, kind: str, name: str, *, raw: bool = False) -> Any:
    named = entry(resources, kind) if isinstance(resources, DictionaryObject) else None
    if not isinstance(named, DictionaryObject) or name not in named:
        return None
    return named.raw_get(name) if raw else named[name]


def _font(drawing: Drawing, resources: Any, name: str) -> Decoder | None:
    held, font = named_resource(resources, "/Font", name, raw=True), named_resource(resources, "/Font", name)
    drawing.pictures += isinstance(font, DictionaryObject) and entry(font, "/Subtype") == "/Type3"
    drawing.fonts.append((held.reference if isinstance(held, IndirectObject) else None, font))
    return decoder_of(font)


def _is_veil(state: Any) -> bool:
    opacity = entry(state, "/ca") if isinstance(state, DictionaryObject) else None
    return isinstance(opacity, int | float | Decimal) and opacity <= _MOST_OF_A_VEIL


def _draw_object(drawing: Drawing, drawn: Any, depth: int, *, is_veil: bool) -> None:
    if isinstance(drawn, StreamObject) and entry(drawn, "/Subtype") == "/Form" and depth < _DEEPEST:
        _draw(drawing, drawn, depth + 1, is_veil=is_veil)
    else:
        drawing.images += 1
        drawing.pictures += not _is_see_through(drawn)


def _is_see_through(image: Any) -> bool:
    """Return whether an image has a mask of which most points let the page through, as a written signature has."""
    mask = entry(image, "/SMask") if isinstance(image, StreamObject) else None
    return isinstance(mask, StreamObject) and sum(mask.data) <= _MOST_OF_A_MASK * len(mask.data)
