"""The skeleton: what is left of an archive's body when its contents are cut out, and where each of them was."""

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import islice
from typing import Any, NoReturn

from domain.body.json_text import JsonFault, parse
from models.errors import Refused

MAX_SKELETON_BYTES = 16 * 1024 * 1024
MAX_VALUES = 200_000
"""So many opening brackets and commas are in a skeleton at most: each of its values but the outermost stands behind
one. Without this bound 16 MiB of brackets became 750 MB of lists, which took the interpreter for three seconds."""

_MARKS = (b",", b"[", b"{")
_FLAT = rb'[^"\[{,]*+'
# Strings are passed over. It matches at any place, if need be up to the end: no byte is tried twice.
_UP_TO_MARK = re.compile(
    rb'%b(?:"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?+\Z)%b)*+(?:([\[{,])|\Z)' % (_FLAT, _FLAT), re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Cut:
    """One content that was cut out of the body."""

    index: int
    where: str
    """JSON path: `attachments[3].content` or `signed_document.content`."""
    body_offset: int
    """Of the first byte between the quotes, in the body."""
    raw_size_bytes: int
    """Between the quotes, as sent."""
    size_bytes: int
    """Decoded."""
    skeleton_offset: int
    """Where in the skeleton the digits of its index start."""


class Skeleton:
    """The body's own bytes with each content replaced by its index in decimal digits, as far as it is known."""

    def __init__(self, max_bytes: int) -> None:
        self.cuts: list[Cut] = []
        self._max_bytes = max_bytes
        self._text = bytearray()

    def __len__(self) -> int:
        return len(self._text)

    def __bytes__(self) -> bytes:
        return bytes(self._text)

    def since(self, offset: int) -> bytes:
        """Return what stands in the skeleton from an offset on."""
        return bytes(self._text[offset:])

    def keep(self, data: bytes, body_offset: int) -> None:
        """Take the next bytes, which stand at an offset in the body.

        Raises:
            Refused: SKELETON_TOO_LARGE, at the first byte that is too many.
        """
        free = self._max_bytes - len(self._text)
        if len(data) > free:
            reason = f"more than {self._max_bytes} bytes beside the contents of files"
            refuse("SKELETON_TOO_LARGE", reason, body_offset + free, status=413)
        self._text += data

    def cut(self, where: str, body_offset: int, body_end: int, size_bytes: int) -> None:
        """Put an index in the place of a content that reaches from `body_offset` to `body_end`.

        Raises:
            Refused: SKELETON_TOO_LARGE.
        """
        index = len(self.cuts)
        self.cuts.append(Cut(index, where, body_offset, body_end - body_offset, size_bytes, len(self._text)))
        self.keep(b"%d" % index, body_end)

    def parse(self, end: int | None = None) -> Any:
        """Return what the skeleton says, up to `end`, by `json_text.parse`.

        Raises:
            Refused: it is not JSON; or TOO_MANY_VALUES, which is found before memory is spent on them.
        """
        text = bytes(memoryview(self._text)[:end])
        self._refuse_too_many_values(text)
        try:
            return parse(text)
        except JsonFault as fault:
            refuse(fault.code, fault.reason, self._in_body(fault.offset))

    def _refuse_too_many_values(self, text: bytes) -> None:
        if sum(map(text.count, _MARKS)) <= MAX_VALUES:  # fast, and all but always enough
            return
        found = next(islice(_UP_TO_MARK.finditer(text), MAX_VALUES, None), None)
        if found and found[1]:
            refuse("TOO_MANY_VALUES", f"more than {MAX_VALUES} values", self._in_body(found.start(1)), status=413)

    def _in_body(self, offset: int) -> int:
        """Return where in the body the byte stands that stands there in the skeleton, outside of the indices."""
        before = bisect_right(self.cuts, offset, key=lambda cut: cut.skeleton_offset)
        if not before:
            return offset
        cut = self.cuts[before - 1]
        return offset - cut.skeleton_offset - len(str(cut.index)) + cut.body_offset + cut.raw_size_bytes


def refuse(code: str, reason: str, body_offset: int, *, where: str = "", status: int = 400) -> NoReturn:
    """Refuse a body for what stands at an offset in it."""
    raise Refused(code, f"at byte {body_offset} of the body: {reason}", where=where, status=status)
