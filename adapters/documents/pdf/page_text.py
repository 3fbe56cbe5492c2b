# mypy: disable-error-code="no-untyped-call"
"""Finds where a page shows text, so that nothing is laid over it later.

Widths are estimated: half of the size of the font for each letter. Source: ISO 32000-2, 8.4.2, 9.4.2.
"""

from collections.abc import Callable, Iterator
from typing import Any

from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, StreamObject

from adapters.documents.pdf.appearance import named_resource, tokens_of
from adapters.documents.pdf.document import entry
from adapters.documents.pdf.fonts import string_bytes

Matrix = tuple[float, float, float, float, float, float]
Box = tuple[float, float, float, float]

_UNITY: Matrix = (1, 0, 0, 1, 0, 0)
_DEEPEST = 4
_WIDTH_OF_A_LETTER = 0.5
_HEIGHT_OF_A_LETTER = 0.7
_COVERED = 0.5
_SHOWING = {b"Tj", b"TJ", b"'", b'"'}


def covers_text(page: DictionaryObject, left: float, bottom: float, right: float, top: float) -> bool:
    """Return whether a rectangle on a page covers half of any text that has a letter or a number."""
    contents = entry(page, "/Contents")
    streams = [contents[place] for place in range(len(contents))] if isinstance(contents, ArrayObject) else [contents]
    content = b"\n".join(stream.data for stream in streams if isinstance(stream, StreamObject))
    for west, south, east, north in _boxes(content, _inherited(page, "/Resources"), _UNITY, 0):
        width = min(right, east) - max(left, west)
        height = min(top, north) - max(bottom, south)
        if width > 0 and height > 0 and width * height >= _COVERED * (east - west) * (north - south):
            return True
    return False


def _inherited(node: Any, key: str) -> Any:
    for _ in range(_DEEPEST * 8):
        if not isinstance(node, DictionaryObject):
            return None
        if entry(node, key) is not None:
            return entry(node, key)
        node = entry(node, "/Parent")
    return None


def _boxes(content: bytes, resources: Any, matrix: Matrix, depth: int) -> Iterator[Box]:
    state, saved = _State(matrix), []
    operands: list[tuple[str, bytes]] = []
    for kind, token in tokens_of(content):
        if kind != "operator":
            operands.append((kind, token))
            continue
        numbers = [float(number) for kind, number in operands if kind == "number" and number.count(b".") < 2]
        if token == b"q":
            saved.append(state.matrix)
        elif token == b"Q" and saved:
            state.matrix = saved.pop()
        elif token in _SHOWING:
            shown = b"".join(string_bytes(text) for kind, text in operands if kind == "string")
            yield from state.shown(token, shown)
        elif token == b"Do" and operands and depth < _DEEPEST:
            drawn = named_resource(resources, "/XObject", operands[-1][1].decode("latin-1"))
            if isinstance(drawn, StreamObject) and entry(drawn, "/Subtype") == "/Form":
                inner = entry(drawn, "/Matrix")
                placed = _product([float(part) for part in inner], state.matrix) if inner else state.matrix
                yield from _boxes(drawn.data, entry(drawn, "/Resources") or resources, placed, depth + 1)
        elif token in _MOVES:
            _MOVES[token](state, numbers)
        operands.clear()


class _State:
    """Where the next text will stand."""

    def __init__(self, matrix: Matrix) -> None:
        self.matrix = matrix
        self.line = self.text = _UNITY
        self.size, self.leading = 0.0, 0.0

    def begin(self, _: list[float]) -> None:
        self.line = self.text = _UNITY

    def set_font(self, numbers: list[float]) -> None:
        self.size = abs(numbers[-1]) if numbers else 0

    def set_leading(self, numbers: list[float]) -> None:
        self.leading = numbers[-1] if numbers else 0

    def set_line(self, numbers: list[float]) -> None:
        self.line = self.text = _product(numbers, _UNITY)

    def change(self, numbers: list[float]) -> None:
        self.matrix = _product(numbers, self.matrix)

    def move(self, numbers: list[float]) -> None:
        self.line = self.text = _product([1, 0, 0, 1, *numbers[-2:]], self.line)

    def move_with_leading(self, numbers: list[float]) -> None:
        self.leading = -numbers[-1] if numbers else 0
        self.move(numbers)

    def next_line(self, _: list[float]) -> None:
        self.move([0, -self.leading])

    def shown(self, operator: bytes, text: bytes) -> Iterator[Box]:
        if operator in (b"'", b'"'):
            self.next_line([])
        width = len(text) * self.size * _WIDTH_OF_A_LETTER
        placed = _product(list(self.text), self.matrix)
        corners = [_point(placed, x, y) for x in (0, width) for y in (0, self.size * _HEIGHT_OF_A_LETTER)]
        self.text = _product([1, 0, 0, 1, width, 0], self.text)
        if any(chr(byte).isalnum() for byte in text):
            across, up = zip(*corners, strict=True)
            yield min(across), min(up), max(across), max(up)


_MOVES: dict[bytes, Callable[[_State, list[float]], None]] = {
    b"BT": _State.begin,
    b"Tf": _State.set_font,
    b"TL": _State.set_leading,
    b"Tm": _State.set_line,
    b"cm": _State.change,
    b"Td": _State.move,
    b"TD": _State.move_with_leading,
    b"T*": _State.next_line,
}


def _product(first: list[float], second: Matrix) -> Matrix:
    a, b, c, d, e, f = first[-6:] if len(first) >= 6 else _UNITY
    p, q, r, s, t, u = second
    return a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u


def _point(matrix: Matrix, x: float, y: float) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f
