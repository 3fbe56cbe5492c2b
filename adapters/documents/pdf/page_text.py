# mypy: disable-error-code="no-untyped-call"
"""Finds where a page shows text, so that nothing is laid over it later.

Each word counts by itself: an amount is a small part of its line. The widths of letters are those of the font, else
those of Helvetica, else half of its size. Source: ISO 32000-2, 8.4.2, 9.2.4, 9.3, 9.4.2.
"""

import re
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, field
from decimal import Decimal
from math import inf
from typing import Any

from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, IndirectObject, StreamObject
from pyhanko.sign.diff_analysis import SuspiciousModification

from adapters.documents.pdf.appearance import (
    END_OF_IMAGE,
    is_hidden,
    named_resource,
    numbers_of,
    shown_stream,
    tokens_of,
)
from adapters.documents.pdf.document import entry
from adapters.documents.pdf.fonts import decoder_of, string_bytes, widths_of

Matrix = tuple[float, float, float, float, float, float]
Box = tuple[float, float, float, float]
Operands = list[tuple[str, bytes]]

UNKNOWN = "\N{REPLACEMENT CHARACTER}"
RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufefc]")
_UNITY: Matrix = (1, 0, 0, 1, 0, 0)
_ANYWHERE: Box = (-1e9, -1e9, 1e9, 1e9)
_DEEPEST = 8
_HEIGHT_OF_A_LETTER = 0.7
_NARROWEST, _WIDEST = 0.2, 1  # of the size of the font, as letters are drawn, whatever the font says
_COVERED = 0.5
_LEAST_HEIGHT = 1  # point
_BESIDE = 1.5  # heights of a digit
_GAP_OF_WORDS = 0.2  # of the size of the font
_NO_ROTATE = 16
_POINTS = ("/QuadPoints", "/L", "/Vertices", "/InkList", "/CL", "/Path")
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
    return [word.text for word in words if any(_covers(each, word, is_near=bool(near)) for each in boxes)]


def numbers_beside(page: DictionaryObject, annotation: DictionaryObject, besides: object) -> list[str]:
    """Return the numbers that an annotation shows right beside a number of the page, as if they were its digits."""
    shown = [each for each in _words_of_appearance(annotation) if _may_be_number(each)]
    words = (*_words(page), *_words_of_annotations(page, besides)) if shown else ()
    numbers = [each for each in words if _may_be_number(each)]
    return [own.text for own in shown if any(_is_beside(own.box, each.box) for each in numbers)]


def _may_be_number(word: Word) -> bool:
    return any(each.isdigit() or each == UNKNOWN for each in word.text)


def _is_beside(box: Box, number: Box) -> bool:
    height = number[3] - number[1]
    gap = max(box[0], number[0]) - min(box[2], number[2])
    return -height / 2 < gap < _BESIDE * height and min(box[3], number[3]) > max(box[1], number[1])


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


def _covers(box: Box, word: Word, *, is_near: bool) -> bool:
    """Return whether a rectangle covers half of a word, or half of a letter of what may be a
    number; or touches an image."""
    west, south, east, north = word.box
    width, height = min(box[2], east) - max(box[0], west), min(box[3], north) - max(box[1], south)
    if is_near or not word.text or not word.is_placed or min(width, height) <= 0:
        return width > 0 and height > 0
    letter = max(east - west, north - south) / len(word.text)
    if _may_be_number(word):
        return width >= _COVERED * min(east - west, letter) and height >= _COVERED * min(north - south, letter)
    return width * height >= _COVERED * (east - west) * (north - south)


def _words(page: DictionaryObject) -> Iterator[Word]:
    contents = entry(page, "/Contents")
    streams = [contents[place] for place in range(len(contents))] if isinstance(contents, ArrayObject) else [contents]
    content = b"\n".join(stream.data for stream in streams if isinstance(stream, StreamObject))
    yield from _drawn(content, inherited(page, "/Resources"), _State(_UNITY), 0)


def _words_of_annotations(page: DictionaryObject, besides: object) -> Iterator[Word]:
    annotations = entry(page, "/Annots")
    for place in range(len(annotations) if isinstance(annotations, ArrayObject) else 0):
        annotation, held = annotations[place], annotations.raw_get(place)
        is_itself = isinstance(held, IndirectObject) and held.reference == besides
        if not isinstance(annotation, DictionaryObject) or is_itself or is_hidden(annotation):
            continue
        yield from _words_of_appearance(annotation)
        form = entry(held.get_pdf_handler().root, "/AcroForm") if isinstance(held, IndirectObject) else None
        is_drawn_by_viewers = isinstance(form, DictionaryObject) and bool(entry(form, "/NeedAppearances"))
        target, value = _rectangle(annotation, "/Rect"), _value(annotation)
        if target and value and (shown_stream(annotation) is None or is_drawn_by_viewers or value.startswith("/")):
            yield Word(target, value.removeprefix("/"), is_placed=False)


def _words_of_appearance(annotation: DictionaryObject) -> Iterator[Word]:
    stream, target = shown_stream(annotation), _rectangle(annotation, "/Rect")
    own = _rectangle(stream, "/BBox") if stream is not None else None
    if stream is not None and target and own:
        inner = _product([float(part) for part in entry(stream, "/Matrix") or ()], _UNITY)
        fitted = _fitted(_box(inner, own[::2], own[1::2]), target)
        yield from _drawn(stream.data, entry(stream, "/Resources"), _State(_product(list(inner), fitted)), 0)


def _value(annotation: DictionaryObject) -> str:
    """Return what a viewer may show of an annotation by itself: a text, or the state of a pressed button."""
    if entry(annotation, "/Subtype") == "/FreeText":
        value = entry(annotation, "/Contents")
    elif inherited(annotation, "/FT") == "/Btn":
        value = entry(annotation, "/AS") if entry(annotation, "/AS") != "/Off" else None
    else:
        value = inherited(annotation, "/V") if inherited(annotation, "/FT") in ("/Tx", "/Ch") else None
    return value if isinstance(value, str) else UNKNOWN if value else ""


def cut_off_words(stream: StreamObject) -> list[bool]:
    """Return for each word of an appearance whether its box cuts it off by half, or it is too small to read."""
    box = _rectangle(stream, "/BBox") or (0, 0, 0, 0)
    words = _drawn(stream.data, entry(stream, "/Resources"), _State(_UNITY), 0)
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
    """Return the matrix by which a viewer fits an appearance into its rectangle (12.5.5)."""
    across = (target[2] - target[0]) / (own[2] - own[0] or 1)
    up = (target[3] - target[1]) / (own[3] - own[1] or 1)
    return across, 0, 0, up, target[0] - own[0] * across, target[1] - own[1] * up


def inherited(node: Any, key: str) -> Any:
    """Return an entry of a page or of the nearest node above it."""
    for _ in range(_DEEPEST * 4):
        if not isinstance(node, DictionaryObject):
            return None
        if entry(node, key) is not None:
            return entry(node, key)
        node = entry(node, "/Parent")
    return None


def _drawn(content: bytes, resources: Any, state: "_State", depth: int) -> Iterator[Word]:
    saved: list[_State] = []
    inline_images, fonts = 0, dict[str, _Font]()
    operands: Operands = []
    for kind, token in tokens_of(content):
        if kind != "operator":
            operands.append((kind, token))
            continue
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
        operands.clear()
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
    line: Matrix = _UNITY
    text: Matrix = _UNITY
    size: float = 0
    leading: float = 0
    letter_gap: float = 0
    word_gap: float = 0
    stretch: float = 100
    rise: float = 0
    font: _Font = field(default_factory=lambda: _Font(None))

    def image(self) -> Word:
        return Word(_box(self.matrix, (0, 1), (0, 1)), "")

    def begin(self, _: list[float]) -> None:
        self.line = self.text = _UNITY

    def take_font(self, state: Any) -> None:
        held = entry(state, "/Font") if isinstance(state, DictionaryObject) else None
        if isinstance(held, ArrayObject):
            self.font, self.size = _Font(held[0]), float(held[1])

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
        self.text = _product([1, 0, 0, 1, place * self.stretch / 100, 0], self.text)

    def _word(self, start: float, end: float, word: str) -> Iterator[Word]:
        """Yield a word, unless it has neither a letter nor a number, as dots and lines have not."""
        if any(letter.isalnum() or letter == UNKNOWN for letter in word):
            placed = _product([self.stretch / 100, 0, 0, 1, 0, self.rise], self.text)
            box = _box(_product(list(placed), self.matrix), (start, end), (0, self.size * self.font.height))
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
