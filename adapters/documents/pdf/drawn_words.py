# mypy: disable-error-code="no-untyped-call"
"""Finds where content draws words, by its font, size and matrices.

The widths of letters are those of the font, else those of Helvetica, else half of its size. Source: ISO 32000-2, 8.4.2,
9.2.4, 9.3, 9.4.2.
"""

import re
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, field
from math import inf
from typing import Any

from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, StreamObject

from adapters.documents.pdf.appearance import END_OF_IMAGE, Operands, named_resource, numbers_of, operations_of
from adapters.documents.pdf.document import entry
from adapters.documents.pdf.fonts import decoder_of, string_bytes, widths_of

Matrix = tuple[float, float, float, float, float, float]
Box = tuple[float, float, float, float]

UNITY: Matrix = (1, 0, 0, 1, 0, 0)
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufefc]")
_ANYWHERE: Box = (-1e9, -1e9, 1e9, 1e9)
_DEEPEST = 8
_HEIGHT_OF_A_LETTER = 0.7
_NARROWEST, _WIDEST = 0.2, 1  # of the size of the font, as letters are drawn, whatever the font says
_GAP_OF_WORDS = 0.2  # of the size of the font
_SHOWING = {b"Tj", b"TJ", b"'", b'"'}


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it is drawn, in the order of its letters for a reader. A letter that no font tells is `UNKNOWN`.

    An image is a word without letters. So is what may show words anywhere: a pattern with words, and forms that hold
    each other too deeply. `is_placed`: it is known where in its box it stands.
    """

    box: Box
    text: str
    is_placed: bool = True


def drawn_words(content: bytes, resources: Any, matrix: Matrix) -> Iterator[Word]:
    """Yield the words that content draws, in its order. `matrix` leads from its coordinates to those of the page."""
    yield from _drawn(content, resources, _State(matrix), 0)


def _drawn(content: bytes, resources: Any, state: "_State", depth: int) -> Iterator[Word]:
    saved: list[_State] = []
    inline_images, fonts = 0, dict[str, _Font]()
    for token, operands in operations_of(content):
        numbers = numbers_of(operands)
        name = next((name.decode("latin-1") for kind, name in operands if kind == "name"), "")
        if token == b"q":
            saved.append(copy(state))
        elif token == b"Q" and saved:
            state = saved.pop()
        elif token in _SHOWING:
            yield from state.shown(token, operands)
        elif token in (b"Do", b"scn", b"SCN"):
            yield from _drawn_object(token, name, resources, state, depth)
        elif token == b"ID":
            inline_images += 1
            yield state.image()
        elif token == b"Tf":
            state.font = fonts.setdefault(name, fonts.get(name) or _Font(named_resource(resources, "/Font", name)))
            state.size = numbers[-1] if numbers else 0
        elif token == b"gs":
            state.take_font(named_resource(resources, "/ExtGState", name))
        elif token in _MOVES:
            _MOVES[token](state, numbers)
        elif token in _SPACES and numbers:
            setattr(state, _SPACES[token], numbers[-1])
    if inline_images < len(END_OF_IMAGE.findall(content)) and inline_images:  # viewers may see the end elsewhere
        yield Word(_ANYWHERE, "")


def _drawn_object(operator: bytes, name: str, resources: Any, state: "_State", depth: int) -> Iterator[Word]:
    """Yield the words of a form, or the image, or what a pattern may show anywhere."""
    drawn = named_resource(resources, "/XObject" if operator == b"Do" else "/Pattern", name)
    if not isinstance(drawn, StreamObject):
        return
    inner, placed = entry(drawn, "/Matrix"), copy(state)
    if inner:
        placed.change([float(part) for part in inner])
    if operator == b"Do" and entry(drawn, "/Subtype") != "/Form":
        yield state.image()
        return
    words = _drawn(drawn.data, entry(drawn, "/Resources") or resources, placed, depth + 1)
    if depth == _DEEPEST or (operator != b"Do" and any(words)):
        yield Word(_ANYWHERE, "")
    else:
        yield from words


class _Font:
    """The letters of a font: how many bytes a code has, how wide it is, and what it says, as far as the font tells.

    `widest` is how wide a letter is drawn at most, and `height` how high, as parts of the size. `is_downward`: its text
    is written from top to bottom.
    """

    def __init__(self, font: Any) -> None:
        known = font if isinstance(font, DictionaryObject) else DictionaryObject()
        self.code_bytes = 2 if entry(known, "/Subtype") == "/Type0" else 1
        self.widest, self.height = float(_WIDEST), _HEIGHT_OF_A_LETTER
        self._widths, self._other = widths_of(known)
        if entry(known, "/Subtype") == "/Type3":
            self.widest, self.height = inf, max(self._widths.values(), default=0) or self.height
        self.is_downward = self.code_bytes == 2 and str(entry(known, "/Encoding")).endswith("V")
        self._known: dict[bytes, tuple[str, float, float]] = {}
        self._decode = decoder_of(font) if "/ToUnicode" in known else None

    def glyph(self, code: bytes) -> tuple[str, float, float]:
        """Return what a code says, empty for a blank; how wide it is, and how wide it is drawn."""
        if code not in self._known:
            letters = self._decode(code) if self._decode else code.decode("latin-1") if self.code_bytes == 1 else ""
            width = self._widths.get(int.from_bytes(code), self._other)
            drawn = min(max(width, _NARROWEST), self.widest)
            self._known[code] = "" if letters.isspace() else letters or UNKNOWN, width, drawn
        return self._known[code]


@dataclass(slots=True)
class _State:
    """Where the next text will stand."""

    matrix: Matrix
    line: Matrix = UNITY
    text: Matrix = UNITY
    size: float = 0
    leading: float = 0
    letter_gap: float = 0
    word_gap: float = 0
    stretch: float = 100
    rise: float = 0
    font: _Font = field(default_factory=lambda: _Font(None))

    def image(self) -> Word:
        return Word(box_of(self.matrix, (0, 1), (0, 1)), "")

    def begin(self, _: list[float]) -> None:
        self.line = self.text = UNITY

    def take_font(self, state: Any) -> None:
        held = entry(state, "/Font") if isinstance(state, DictionaryObject) else None
        if isinstance(held, ArrayObject):
            self.font, self.size = _Font(held[0]), float(held[1])

    def set_line(self, numbers: list[float]) -> None:
        self.line = self.text = product(numbers, UNITY)

    def change(self, numbers: list[float]) -> None:
        self.matrix = product(numbers, self.matrix)

    def move(self, numbers: list[float]) -> None:
        self.line = self.text = product([1, 0, 0, 1, *numbers[-2:]], self.line)

    def move_with_leading(self, numbers: list[float]) -> None:
        self.leading = -numbers[-1] if numbers else 0
        self.move(numbers)

    def next_line(self, _: list[float]) -> None:
        self.move([0, -self.leading])

    def shown(self, operator: bytes, operands: Operands) -> Iterator[Word]:
        """Yield the words that an operator shows. In an array of texts, numbers move the next text back."""
        numbers = numbers_of(operands)
        if operator in (b"'", b'"'):
            self.next_line([])
        if operator == b'"' and len(numbers) > 1:
            self.word_gap, self.letter_gap = numbers[-2:]
        start, end, place, word = 0.0, 0.0, 0.0, ""
        for kind, token in operands:
            if kind == "number" and operator == b"TJ":
                place -= float(token) / 1000 * self.size
            shown, step = string_bytes(token) if kind == "string" else b"", self.font.code_bytes
            for code in (shown[at : at + step] for at in range(0, len(shown), step)):
                letters, width, drawn = self.font.glyph(code)
                if word and (not letters or abs(place - end) > _GAP_OF_WORDS * abs(self.size)):
                    yield from self._word(start, end, word)
                    word = ""
                if letters:
                    start = start if word else place
                    end, word = place + drawn * self.size, word + letters
                place += width * self.size + self.letter_gap + self.word_gap * (code == b" ")
        yield from self._word(start, end, word)
        self.text = product([1, 0, 0, 1, place * self.stretch / 100, 0], self.text)

    def _word(self, start: float, end: float, word: str) -> Iterator[Word]:
        """Yield a word, unless it has neither a letter nor a number, as dots and lines have not."""
        if any(letter.isalnum() or letter == UNKNOWN for letter in word):
            placed = product([self.stretch / 100, 0, 0, 1, 0, self.rise], self.text)
            box = box_of(product(list(placed), self.matrix), (start, end), (0, self.size * self.font.height))
            if self.font.is_downward:
                box, word = _ANYWHERE, ""
            is_from_right = bool(RIGHT_TO_LEFT.search(word))  # drawn from the left, so its last letter comes first
            yield Word(box, word[::-1] if is_from_right else word)


_SPACES = {b"TL": "leading", b"Tc": "letter_gap", b"Tw": "word_gap", b"Tz": "stretch", b"Ts": "rise"}
_MOVES: dict[bytes, Callable[[_State, list[float]], None]] = {
    b"BT": _State.begin,
    b"Tm": _State.set_line,
    b"cm": _State.change,
    b"Td": _State.move,
    b"TD": _State.move_with_leading,
    b"T*": _State.next_line,
}


def product(first: list[float], second: Matrix) -> Matrix:
    """Return the matrix of one after the other. Fewer than six numbers count as a matrix that changes nothing."""
    a, b, c, d, e, f = first[-6:] if len(first) >= 6 else UNITY
    p, q, r, s, t, u = second
    return a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u


def box_of(matrix: Matrix, across: tuple[float, float], up: tuple[float, float]) -> Box:
    """Return what holds a rectangle after a matrix."""
    xs, ys = zip(*(_point(matrix, x, y) for x in across for y in up), strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _point(matrix: Matrix, x: float, y: float) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f
