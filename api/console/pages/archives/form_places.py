"""Where form fields stand on the pages of the document, as boxes of a drawing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from models.views.archives.archives import FieldView

PAGE_WIDTH, PAGE_HEIGHT = 100.0, 141.4
"""A page of A4 in units of a hundredth of its width. Cellosign sends places in hundredths of width and height."""
_MOST_BOXES = 400
_LEAST_HEIGHT = 1.6


@dataclass(frozen=True, slots=True)
class Box:
    """A field on a page: its place, and its number in the list."""

    number: int
    field: FieldView
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class DrawnPage:
    """A page of the document, counted from 1, with its boxes."""

    number: int
    boxes: tuple[Box, ...]


def drawn_pages(fields: Sequence[FieldView]) -> list[DrawnPage]:
    """Return the pages that have fields, in their order. A field without a place on a page is in the list alone."""
    placed = sorted(_placed(fields), key=lambda each: each[0])
    return [
        DrawnPage(page + 1, tuple(box for _, box in boxes)[:_MOST_BOXES])
        for page, boxes in groupby(placed, key=lambda each: each[0])
    ]


def _placed(fields: Sequence[FieldView]) -> Iterator[tuple[int, Box]]:
    for number, each in enumerate(fields, 1):
        if each.page is None or None in (each.top, each.left, each.width, each.height) or each.visible is False:
            continue
        top, left, width, height = (float(side or 0) for side in (each.top, each.left, each.width, each.height))
        if 0 <= left <= 100 and 0 <= top <= 100 and 0 < width <= 100 and 0 <= each.page < 10_000:
            scale = PAGE_HEIGHT / 100
            tall = max(min(height, 100 - top) * scale, _LEAST_HEIGHT)
            yield each.page, Box(number, each, left, top * scale, min(width, 100 - left), tall)
