# mypy: disable-error-code="no-untyped-call"
"""Finds where a page shows text, so that nothing is laid over it later.

Each word counts by itself: an amount is a small part of its line. The widths of letters are those of the font, else
half of its size. Source: ISO 32000-2, 8.4.2, 9.4.2, 9.2.4.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, IndirectObject, StreamObject
from pyhanko.sign.diff_analysis import SuspiciousModification

from adapters.documents.pdf.appearance import is_hidden, named_resource, numbers_of, shown_stream, tokens_of
from adapters.documents.pdf.document import entry
from adapters.documents.pdf.fonts import decoder_of, string_bytes

Matrix = tuple[float, float, float, float, float, float]
Box = tuple[float, float, float, float]
Operands = list[tuple[str, bytes]]

UNKNOWN = "\N{REPLACEMENT CHARACTER}"
RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufefc]")
_UNITY: Matrix = (1, 0, 0, 1, 0, 0)
_DEEPEST = 4
_WIDTH_OF_A_LETTER = 0.5
_HEIGHT_OF_A_LETTER = 0.7
_COVERED = 0.5
_LEAST_HEIGHT = 1  # point
_GAP_OF_WORDS = 200  # thousandths of the size of the font, in an array of texts
_NO_ROTATE = 16
_POINTS = ("/QuadPoints", "/L", "/Vertices", "/InkList", "/CL", "/Path")
_SHOWING = {b"Tj", b"TJ", b"'", b'"'}


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it is drawn, in the order of its letters for a reader. A letter that no font tells is `UNKNOWN`.

    An image is a word without letters.
    """

    box: Box
    text: str


def covered_words(
    page: DictionaryObject, annotation: DictionaryObject, besides: object = None, near: float = 0
) -> list[str]:
    """Return the words of a page that the rectangle of an annotation covers by half, also words that annotations show;
    and an empty word for each image that it touches, which may show words.

    `besides`: the reference of an annotation whose own words do not count. `near`: so many points around it count too,
    also around the places where a viewer draws it without an appearance.
    Raises SuspiciousModification at a rectangle that not every viewer reads alike.
    """
    if entry(annotation, "/Rect") is None:
        return []
    box = _rectangle(annotation, "/Rect")
    if box is None:
        raise SuspiciousModification("an annotation has no rectangle of four numbers")
    words = (*_words(page), *_words_of_annotations(page, besides))
    boxes = [box, _turned(box, inherited(page, "/Rotate"))] if _stays_upright(annotation) else [box]
    if near:
        reached = [_reach(annotation, each) for each in boxes]
        boxes = [(west - near, south - near, east + near, north + near) for west, south, east, north in reached]
    share = 0 if near else _COVERED
    return [word.text for word in words if any(_covers(each, word.box, share if word.text else 0) for each in boxes)]


def _stays_upright(annotation: DictionaryObject) -> bool:
    flags = entry(annotation, "/F")
    return isinstance(flags, int) and bool(flags & _NO_ROTATE)


def _turned(box: Box, rotation: object) -> Box:
    """Return where an annotation stands that does not turn with its page: it turns about its upper left corner."""
    left, bottom, right, top = box
    wide, high = right - left, top - bottom
    turned = {
        90: (left, top, left + high, top + wide),
        180: (left - wide, top, left, top + high),
        270: (left - high, top - wide, left, top),
    }
    return turned.get(rotation % 360, box) if isinstance(rotation, int) else box


def _reach(annotation: DictionaryObject, box: Box) -> Box:
    """Return what holds the rectangle of an annotation, the points by which viewers draw it, and its lines."""
    across, up = [box[0], box[2]], [box[1], box[3]]
    is_callout = shown_stream(annotation) is None or entry(annotation, "/IT") == "/FreeTextCallout"
    waiting = [entry(annotation, key) for key in _POINTS if is_callout or key != "/CL"]  # PyMuPDF writes any /CL
    while waiting:
        held = waiting.pop()
        parts = [held[place] for place in range(len(held))] if isinstance(held, ArrayObject) else []
        waiting += parts
        numbers = [float(part) for part in parts if isinstance(part, int | float | Decimal)]
        across, up = across + numbers[::2], up + numbers[1::2]
    style, border = entry(annotation, "/BS"), entry(annotation, "/Border")
    width = entry(style, "/W") if isinstance(style, DictionaryObject) else border[2] if border else 0
    wide = float(width or 0)
    return min(across) - wide, min(up) - wide, max(across) + wide, max(up) + wide


def _covers(box: Box, word: Box, share: float) -> bool:
    width, height = min(box[2], word[2]) - max(box[0], word[0]), min(box[3], word[3]) - max(box[1], word[1])
    return width > 0 and height > 0 and width * height >= share * (word[2] - word[0]) * (word[3] - word[1])


def _words(page: DictionaryObject) -> Iterator[Word]:
    contents = entry(page, "/Contents")
    streams = [contents[place] for place in range(len(contents))] if isinstance(contents, ArrayObject) else [contents]
    content = b"\n".join(stream.data for stream in streams if isinstance(stream, StreamObject))
    yield from _drawn(content, inherited(page, "/Resources"), _UNITY, 0)


def _words_of_annotations(page: DictionaryObject, besides: object) -> Iterator[Word]:
    annotations = entry(page, "/Annots")
    for place in range(len(annotations) if isinstance(annotations, ArrayObject) else 0):
        annotation, held = annotations[place], annotations.raw_get(place)
        stream = shown_stream(annotation) if isinstance(annotation, DictionaryObject) else None
        is_itself = isinstance(held, IndirectObject) and held.reference == besides
        if stream is not None and not is_itself and not is_hidden(annotation):
            target, own = _rectangle(annotation, "/Rect"), _rectangle(stream, "/BBox")
            if target and own:
                yield from _drawn(stream.data, entry(stream, "/Resources"), _fitted(own, target), 0)


def cut_off_words(stream: StreamObject) -> list[bool]:
    """Return for each word of an appearance whether its box cuts it off by half, or it is too small to read."""
    box = _rectangle(stream, "/BBox") or (0, 0, 0, 0)
    words = _drawn(stream.data, entry(stream, "/Resources"), _UNITY, 0)
    return [_is_cut_off(word.box, box) for word in words if word.text]


def _is_cut_off(word: Box, box: Box) -> bool:
    west, south, east, north = word
    width, height = min(box[2], east) - max(box[0], west), min(box[3], north) - max(box[1], south)
    is_outside = min(width, height) <= 0 or width * height < _COVERED * (east - west) * (north - south)
    return is_outside or north - south < _LEAST_HEIGHT


def _rectangle(dictionary: DictionaryObject, key: str) -> Box | None:
    found = entry(dictionary, key)
    if not isinstance(found, ArrayObject) or len(found) != 4:
        return None
    left, bottom, right, top = (float(number) for number in found)
    return min(left, right), min(bottom, top), max(left, right), max(bottom, top)


def _fitted(own: Box, target: Box) -> Matrix:
    """Return the matrix by which a viewer fits an appearance into its rectangle (12.5.5), without its own matrix."""
    across = (target[2] - target[0]) / (own[2] - own[0] or 1)
    up = (target[3] - target[1]) / (own[3] - own[1] or 1)
    return across, 0, 0, up, target[0] - own[0] * across, target[1] - own[1] * up


def inherited(node: Any, key: str) -> Any:
    """Return an entry of a page or of the nearest node above it."""
    for _ in range(_DEEPEST * 8):
        if not isinstance(node, DictionaryObject):
            return None
        if entry(node, key) is not None:
            return entry(node, key)
        node = entry(node, "/Parent")
    return None


def _drawn(content: bytes, resources: Any, matrix: Matrix, depth: int) -> Iterator[Word]:
    state, saved = _State(matrix), []
    operands: Operands = []
    for kind, token in tokens_of(content):
        if kind != "operator":
            operands.append((kind, token))
            continue
        numbers = numbers_of(operands)
        if token == b"q":
            saved.append(state.matrix)
        elif token == b"Q" and saved:
            state.matrix = saved.pop()
        elif token in _SHOWING:
            yield from state.shown(token, operands)
        elif token == b"Do" and operands and depth < _DEEPEST:
            drawn = named_resource(resources, "/XObject", operands[-1][1].decode("latin-1"))
            if isinstance(drawn, StreamObject) and entry(drawn, "/Subtype") == "/Form":
                inner = entry(drawn, "/Matrix")
                placed = _product([float(part) for part in inner], state.matrix) if inner else state.matrix
                yield from _drawn(drawn.data, entry(drawn, "/Resources") or resources, placed, depth + 1)
            elif isinstance(drawn, StreamObject):
                yield state.image()
        elif token == b"BI":
            yield state.image()
        elif token in _MOVES:
            _MOVES[token](state, numbers)
            if token == b"Tf" and operands:
                name = next((name for kind, name in operands if kind == "name"), b"")
                state.font = _Font(named_resource(resources, "/Font", name.decode("latin-1")))
        operands.clear()


class _Font:
    """The letters of a font: how many bytes a code has, how wide it is, and what it says, as far as the font tells."""

    def __init__(self, font: Any) -> None:
        known = font if isinstance(font, DictionaryObject) else DictionaryObject()
        self.code_bytes = 2 if entry(known, "/Subtype") == "/Type0" else 1
        widths, first = entry(known, "/Widths"), entry(known, "/FirstChar")
        self._widths = [float(width) for width in widths] if isinstance(widths, ArrayObject) else []
        self._first = first if isinstance(first, int) else 0
        self._decode = decoder_of(font) if "/ToUnicode" in known else None

    def width(self, code: bytes) -> float:
        place = int.from_bytes(code) - self._first
        return self._widths[place] / 1000 if 0 <= place < len(self._widths) else _WIDTH_OF_A_LETTER

    def text(self, code: bytes) -> str:
        if self._decode:
            return self._decode(code)
        return code.decode("latin-1") if self.code_bytes == 1 else UNKNOWN


class _State:
    """Where the next text will stand."""

    def __init__(self, matrix: Matrix) -> None:
        self.matrix = matrix
        self.line = self.text = _UNITY
        self.size, self.leading = 0.0, 0.0
        self.font = _Font(None)

    def image(self) -> Word:
        return Word(_box(self.matrix, (0, 1), (0, 1)), "")

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

    def shown(self, operator: bytes, operands: Operands) -> Iterator[Word]:
        """Yield the words that an operator shows. In an array of texts, numbers move the next text back."""
        if operator in (b"'", b'"'):
            self.next_line([])
        start, place, word = 0.0, 0.0, ""
        for kind, token in operands:
            if kind == "number" and operator == b"TJ":
                back = float(token)
                if abs(back) > _GAP_OF_WORDS:
                    yield from self._word(start, place, word)
                    start, word = place - back / 1000 * self.size, ""
                place -= back / 1000 * self.size
            shown, step = string_bytes(token) if kind == "string" else b"", self.font.code_bytes
            for code in (shown[at : at + step] for at in range(0, len(shown), step)):
                letters = self.font.text(code)
                if letters.isspace():
                    yield from self._word(start, place, word)
                place += self.font.width(code) * self.size
                start, word = (place, "") if letters.isspace() else (start, word + letters)
        yield from self._word(start, place, word)
        self.text = _product([1, 0, 0, 1, place, 0], self.text)

    def _word(self, start: float, end: float, word: str) -> Iterator[Word]:
        """Yield a word, unless it has neither a letter nor a number, as dots and lines have not."""
        if any(letter.isalnum() or letter == UNKNOWN for letter in word):
            placed = _product(list(self.text), self.matrix)
            box = _box(placed, (start, end), (0, self.size * _HEIGHT_OF_A_LETTER))
            is_from_right = bool(RIGHT_TO_LEFT.search(word))  # drawn from the left, so its last letter comes first
            yield Word(box, word[::-1] if is_from_right else word)


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


def _box(matrix: Matrix, across: tuple[float, float], up: tuple[float, float]) -> Box:
    xs, ys = zip(*(_point(matrix, x, y) for x in across for y in up), strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _point(matrix: Matrix, x: float, y: float) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f
