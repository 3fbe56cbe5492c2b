"""Builds the skeleton of a body: the bytes that remain when the contents are cut out, and the place of each cut."""

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import islice
from typing import Any, NoReturn

from domain.body.json_text import JsonFault, parse
from models.errors import RefusalCode, Refused
from models.said import Sentence

MAX_SKELETON_BYTES = 16 * 1024 * 1024
MAX_VALUES = 200_000
"""The most opening brackets and commas in a skeleton: each value but the outermost follows a bracket or comma. Without
this bound 16 MiB of brackets became 750 MB of lists, which blocked the interpreter for three seconds."""

NOT_COMPRESSED = "expected JSON, got compressed data; switch compression off at the sender or the proxy, and send again"
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
"""How gzip, zstd and deflate begin. No JSON begins so."""

_MARKS = (b",", b"[", b"{")
_FLAT = rb'[^"\[{,]*+'
# Skips strings. It matches at any place, if need be up to the end, so no byte is tried twice.
_UP_TO_MARK = re.compile(
    rb'%b(?:"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?+\Z)%b)*+(?:([\[{,])|\Z)' % (_FLAT, _FLAT), re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Cut:
    """A content that was cut out of the body."""

    index: int
    where: str
    """JSON path: `attachments[3].content` or `signed_document.content`."""
    body_offset: int
    """Place of the first byte between the quotes in the body."""
    raw_size_bytes: int
    """Size between the quotes, as sent."""
    size_bytes: int
    """Size when decoded."""
    skeleton_offset: int
    """Place in the skeleton where the digits of its index start."""


class Skeleton:
    """The part of the skeleton read so far: the body's bytes with each content replaced by its index in decimal."""

    def __init__(self, max_bytes: int) -> None:
        self.cuts: list[Cut] = []
        self._max_bytes = max_bytes
        self._text = bytearray()

    def __len__(self) -> int:
        return len(self._text)

    def __bytes__(self) -> bytes:
        return bytes(self._text)

    def beginning(self, most_bytes: int) -> bytes:
        """Return the first bytes of the skeleton so far."""
        return bytes(self._text[:most_bytes])

    def since(self, offset: int) -> bytes:
        """Return the bytes of the skeleton from an offset on."""
        return bytes(self._text[offset:])

    def keep(self, data: bytes, body_offset: int) -> None:
        """Append the next bytes of the body, which begin at `body_offset`.

        Raises Refused: SKELETON_TOO_LARGE, at the first byte beyond the limit.
        """
        free = self._max_bytes - len(self._text)
        if len(data) > free:
            reason = f"more than {self._max_bytes} bytes besides the contents of files"
            refuse("SKELETON_TOO_LARGE", reason, body_offset + free, status=413)
        self._text += data

    def cut(self, where: str, body_offset: int, body_end: int, size_bytes: int) -> None:
        """Replace the content from `body_offset` to `body_end` by its index. Raises Refused: SKELETON_TOO_LARGE."""
        index = len(self.cuts)
        self.cuts.append(Cut(index, where, body_offset, body_end - body_offset, size_bytes, len(self._text)))
        self.keep(b"%d" % index, body_end)

    def parse(self, end: int | None = None) -> Any:
        """Return the value of the skeleton up to `end`, by `json_text.parse`.

        Raises Refused if the skeleton is not JSON; or TOO_MANY_VALUES, which is raised before the values take memory.
        """
        text = bytes(memoryview(self._text)[:end])
        self._refuse_too_many_values(text)
        try:
            return parse(text)
        except JsonFault as fault:
            if text.startswith(_COMPRESSED):
                refuse("COMPRESSED", NOT_COMPRESSED, 0, status=415)
            refuse(fault.code, fault.reason, self._in_body(fault.offset))

    def _refuse_too_many_values(self, text: bytes) -> None:
        if sum(map(text.count, _MARKS)) <= MAX_VALUES:  # fast, and almost always enough
            return
        found = next(islice(_UP_TO_MARK.finditer(text), MAX_VALUES, None), None)
        if found and found[1]:
            refuse("TOO_MANY_VALUES", f"more than {MAX_VALUES} values", self._in_body(found.start(1)), status=413)

    def _in_body(self, offset: int) -> int:
        """Return the body offset of the byte at a skeleton offset. The byte must lie outside of the indices."""
        before = bisect_right(self.cuts, offset, key=lambda cut: cut.skeleton_offset)
        if not before:
            return offset
        cut = self.cuts[before - 1]
        return offset - cut.skeleton_offset - len(str(cut.index)) + cut.body_offset + cut.raw_size_bytes


def refuse(code: RefusalCode, reason: str, body_offset: int, *, where: str = "", status: int = 400) -> NoReturn:
    """Refuse a body because of the byte at an offset."""
    raise Refused(code, Sentence.at_byte(byte=body_offset, reason=reason), where=where, status=status)
