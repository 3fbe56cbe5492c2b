"""Reads what the appearance of an annotation draws: its text, and whether anything else may stand in for text.

Source: ISO 32000-2, 8.2 (operators), 9.4.3 (text-showing operators), 12.5.5 (appearance streams).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import product
from math import hypot
from typing import Any

from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, IndirectObject, Reference, StreamObject

from adapters.documents.pdf.document import entry
from adapters.documents.pdf.fonts import Decoder, decoder_of, string_bytes

Operands = list[tuple[str, bytes]]

_HIDDEN = 2 | 32  # flags Hidden and NoView
_DEEPEST = 8
_TOKEN = re.compile(
    rb"(?P<string><(?!<)[0-9A-Fa-f\s]*>)|(?P<text>\()"
    rb"|(?P<name>/[^\s()<>\[\]{}/%]*)|(?P<number>[-+]?\.?\d[\d.]*)|(?P<comment>%[^\r\n]*)"
    rb"|(?P<operator>[A-Za-z'\"*]+[01]?\*?)|(?P<other><<|>>|[\[\]{}])"
)
_PARENTHESIS = re.compile(rb"\\.|[()]", re.DOTALL)
_INLINE_IMAGE = re.compile(rb"\bBI\b.*?\bID\b.*?\bEI\b", re.DOTALL)
END_OF_IMAGE = re.compile(rb"EI(?=\s|\Z)")
_SHOWING = {b"Tj", b"TJ", b"'", b'"'}
_CURVES = {b"c", b"v", b"y"}
_LINES = {b"l", b"re"}
_FILLING = {b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*", b"sh"}
_STROKING = {b"S", b"s"}
_WIDEST_LINE = 3  # points
_COLORS = {b"g", b"rg", b"k", b"sc", b"scn"}
_COLORS_OF_LINES = {each.upper() for each in _COLORS}
_PALE = 0.85
DARKEST_MARKER = 0.5
_MOST_OF_A_MASK = 127  # of 255
_PARTS_ACROSS, _PARTS_UP = 16, 5
"""A part of a picture, one of so many, is as large as a number may be."""
_MOST_OF_A_PART = 230
_MOST_OF_A_VEIL = 0.7


@dataclass(slots=True)
class Drawing:
    """What an appearance draws. `curves`, `lines` and `images` count what may be letters without being text.

    `pictures` are the images that hide what is below, `areas` what is filled, but not by a marker, or drawn by wide or
    pale lines, and `outlines` the curves that are not drawn as a veil. `is_dark`: an area is dark. `is_pale_on_pale`: a
    text is pale, and nothing below it is dark.
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
    is_dark: bool = False
    is_pale_on_pale: bool = False
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
    _draw(drawing, stream, 0, _Pen(_scale(entry(annotation, "/Rect"), entry(stream, "/BBox"))))
    return drawing


def _scale(target: Any, own: Any) -> float:
    """Return how much larger a viewer draws an appearance, in the direction in which it is drawn larger."""
    sides: list[list[float]] = [
        [abs(float(box[place + 2]) - float(box[place])) for place in (0, 1)]
        if isinstance(box, ArrayObject) and len(box) == 4
        else [1, 1]
        for box in (target, own)
    ]
    scales: list[float] = [side / (its or 1) for side, its in zip(*sides, strict=True)]
    return max(scales)


def _scale_of(matrix: list[float]) -> float:
    a, b, c, d, *_ = [*matrix, 1, 0, 0, 1]
    return max(hypot(a, b), hypot(c, d))


@dataclass(slots=True)
class _Pen:
    """How the next text, area or line will be drawn. `scale`: how much larger than its numbers say. `is_marker`: it
    draws an area in a light color that blends with what is below, as a highlight does.
    """

    scale: float
    is_veil: bool = False
    is_multiplied: bool = False
    is_light: bool = False
    is_pale: bool = False
    has_pale_lines: bool = False
    width: float = 1

    @property
    def is_marker(self) -> bool:
        return self.is_multiplied and self.is_light

    @property
    def is_wide(self) -> bool:
        return self.width * self.scale > _WIDEST_LINE

    def take(self, operator: bytes, operands: Operands, resources: Any) -> None:
        if operator in _COLORS:
            self.is_pale = is_pale(operator, operands)
            self.is_light = lightness(numbers_of(operands)) >= DARKEST_MARKER
        elif operator in _COLORS_OF_LINES:
            self.has_pale_lines = is_pale(operator.lower(), operands)
        elif operator == b"cm":
            self.scale *= _scale_of(numbers_of(operands))
        elif operator == b"w":
            self.width = max(numbers_of(operands), default=0)
        elif operator == b"gs":
            state = named_resource(resources, "/ExtGState", _last_name(operands))
            self.is_veil = _is_veil(state)
            if isinstance(state, DictionaryObject) and "/BM" in state:
                self.is_multiplied = entry(state, "/BM") == "/Multiply"
            self.width = float((entry(state, "/LW") if isinstance(state, DictionaryObject) else None) or self.width)


def _draw(drawing: Drawing, stream: StreamObject, depth: int, pen: _Pen) -> None:
    resources = entry(stream, "/Resources")
    content = stream.data
    drawing.images += (inline := len(_INLINE_IMAGE.findall(content)))
    drawing.pictures += inline
    decode: Decoder | None = None
    saved: list[_Pen] = []
    for token, operands in operations_of(_INLINE_IMAGE.sub(b" ", content)):
        pen.take(token, operands, resources)
        if token == b"Tf":
            decode = _font(drawing, resources, _last_name(operands))
        elif token in _SHOWING:
            shown = b"".join(string_bytes(text) for kind, text in operands if kind == "string")
            drawing.text += decode(shown) if decode else shown.decode("latin-1")
            drawing.hides_text |= pen.is_pale
            drawing.is_pale_on_pale |= pen.is_pale and not drawing.is_dark
        elif token == b"q":
            saved.append(replace(pen))
        elif token == b"Q" and saved:
            pen = saved.pop()
        elif token == b"Tr":
            drawing.hides_text |= bool(operands) and operands[-1][1] != b"0"
        elif token == b"Do":
            _draw_object(drawing, named_resource(resources, "/XObject", _last_name(operands)), depth, pen)
        is_line = token in _STROKING
        drawing.areas += (token in _FILLING and not pen.is_marker) or (is_line and (pen.is_wide or pen.has_pale_lines))
        if token in _FILLING or (is_line and pen.is_wide):
            drawing.is_dark |= not (is_line or pen.is_pale or pen.is_veil)
            drawing.images += token == b"sh"
            drawing.hides_text |= bool(drawing.text.strip())
        drawing.curves += token in _CURVES
        drawing.outlines += token in _CURVES and not pen.is_veil
        drawing.lines += token in _LINES


def numbers_of(operands: Operands) -> list[float]:
    return [float(number) for kind, number in operands if kind == "number" and number.count(b".") < 2]


def lightness(color: list[float]) -> float:
    """Return how light a color is: 0 for black, 1 for white, also for no color."""
    if not color:
        return 1
    return 1 - max(color) if len(color) == 4 else sum(color) / len(color)


def is_pale(operator: bytes, operands: Operands) -> bool:
    """Return whether a color is almost white."""
    parts = numbers_of(operands)
    if not parts:
        return False
    is_ink = operator == b"k" or len(parts) == 4
    return max(parts) <= 1 - _PALE if is_ink else min(parts) >= _PALE


def operations_of(content: bytes) -> Iterator[tuple[bytes, Operands]]:
    """Yield the operators of content, each with the operands before it by their kinds."""
    operands: Operands = []
    for kind, token in _tokens_of(content):
        if kind == "operator":
            yield token, operands
            operands = []
        else:
            operands.append((kind, token))


def _tokens_of(content: bytes) -> Iterator[tuple[str, bytes]]:
    place = 0
    while found := _TOKEN.search(content, place):
        place = found.end()
        if found.lastgroup == "text":
            place = _string_end(content, place)
            yield "string", content[found.start() : place]
        elif found.lastgroup and found.lastgroup != "comment":
            yield found.lastgroup, found[0]
        if found[0] == b"ID" and (end := END_OF_IMAGE.search(content, place)):
            place = end.end()


def _string_end(content: bytes, place: int) -> int:
    """Return where a string ends whose first parenthesis is before `place`. Parentheses in it are balanced."""
    depth = 1
    for found in _PARENTHESIS.finditer(content, place):
        depth += {b"(": 1, b")": -1}.get(found[0], 0)
        if not depth:
            return found.end()
    return len(content)


def _last_name(operands: Operands) -> str:
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


def _draw_object(drawing: Drawing, drawn: Any, depth: int, pen: _Pen) -> None:
    if isinstance(drawn, StreamObject) and entry(drawn, "/Subtype") == "/Form" and depth < _DEEPEST:
        inner = _scale_of([float(part) for part in entry(drawn, "/Matrix") or ()])
        _draw(drawing, drawn, depth + 1, replace(pen, scale=pen.scale * inner))
    else:
        drawing.images += 1
        drawing.pictures += not _is_see_through(drawn)


def _is_see_through(image: Any) -> bool:
    """Return whether an image has a mask of which most points let the page through, as a written signature has, and no
    part hides a number.
    """
    mask = entry(image, "/SMask") if isinstance(image, StreamObject) else None
    if (
        not isinstance(mask, StreamObject)
        or entry(mask, "/BitsPerComponent") != 8
        or (entry(mask, "/Decode") not in (None, [0, 1]))
    ):
        return False
    wide, high = int(mask["/Width"]), int(mask["/Height"])
    points = mask.data[: wide * high]
    across, up = -(-wide // _PARTS_ACROSS), -(-high // _PARTS_UP)
    for top, left in product(range(0, high, up), range(0, wide, across)):
        rows = range(top * wide, min(top + up, high) * wide, wide)
        part = b"".join(points[row + left : row + min(left + across, wide)] for row in rows)
        if sum(part) > _MOST_OF_A_PART * len(part):
            return False
    return sum(points) <= _MOST_OF_A_MASK * len(points)
