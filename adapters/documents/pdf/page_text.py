# mypy: disable-error-code="no-untyped-call"
"""Finds which words of a page an annotation covers, so that nothing is laid over them later.

Each word counts by itself: an amount is a small part of its line.
"""

from collections.abc import Iterator
from decimal import Decimal

from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, IndirectObject, StreamObject
from pyhanko.sign.diff_analysis import SuspiciousModification

from adapters.documents.pdf.appearance import is_hidden, shown_stream
from adapters.documents.pdf.document import entry, inherited
from adapters.documents.pdf.drawn_words import UNITY, UNKNOWN, Box, Matrix, Word, box_of, drawn_words, product

_COVERED = 0.5
_LEAST_HEIGHT = 1  # point
_BESIDE = 1.5  # heights of a digit
_NO_ROTATE = 16
_POINTS = ("/QuadPoints", "/L", "/Vertices", "/InkList", "/CL", "/Path")


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
    """Return whether a rectangle covers half of a word, or of a letter where it may be a number, or any of an image."""
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
    yield from drawn_words(content, inherited(page, "/Resources"), UNITY)


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
        inner = product([float(part) for part in entry(stream, "/Matrix") or ()], UNITY)
        fitted = _fitted(box_of(inner, own[::2], own[1::2]), target)
        yield from drawn_words(stream.data, entry(stream, "/Resources"), product(list(inner), fitted))


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
    words = drawn_words(stream.data, entry(stream, "/Resources"), UNITY)
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
