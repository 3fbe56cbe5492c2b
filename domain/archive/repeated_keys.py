"""Reads what a document says under a key that comes again: of the values the last counts, but no file is lost."""

from collections.abc import Iterable, Iterator
from typing import Any

from domain.body.json_text import Repeating
from domain.body.node import Node, step
from models.archive.content import Role
from models.archive.warning import ArchiveWarning, WarningCode

_DETAIL = "the key comes more than once: the last value counts, and files of the earlier values are kept as attachments"


def repeated_keys(document: Any) -> list[ArchiveWarning]:
    """Return a warning for each key that repeats, if `json_text.parse_with_repeats` has read the document."""
    if not isinstance(document, Repeating):
        return []
    places = dict.fromkeys(_places(document, ""))
    return [ArchiveWarning(WarningCode.DUPLICATE_KEY, place, _DETAIL) for place in places]


def overridden_files(root: Node, files: Iterable[Node]) -> Iterator[tuple[Node, str]]:
    """Yield the contents that a later key overrides, as the index of the cut, each with the file that declares it.

    Only the scanner writes texts there: the index of a cut.
    """
    earlier = list(_earlier_files(root))
    for place in [*files, *earlier]:
        yield from (
            (place, value) for key, value in _earlier(place.value) if key == "content" and isinstance(value, str)
        )
    for place in earlier:
        if isinstance(index := place.member("content").value, str):
            yield place, index


def _earlier_files(root: Node) -> Iterator[Node]:
    for key, value in _earlier(root.value):
        place = Node(value, key, root.reading)
        if key == Role.SIGNED_DOCUMENT and isinstance(value, dict):
            yield place
        elif key == "attachments" and isinstance(value, list):
            yield from place.objects()


def _earlier(value: Any) -> list[tuple[str, Any]]:
    return value.earlier if isinstance(value, Repeating) else []


def _places(value: Any, path: str) -> Iterator[str]:
    """Yield the places of the repeated keys, in the values that count and in those that do not."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _places(each, f"{path}[{index}]")
    elif isinstance(value, dict):
        numbers = {key: number for number, key in enumerate(value)}
        for key, each in _earlier(value):
            place = (path + step(key, numbers[key])).removeprefix(".")
            yield place
            yield from _places(each, place)
        for key, each in value.items():
            yield from _places(each, (path + step(key, numbers[key])).removeprefix("."))
