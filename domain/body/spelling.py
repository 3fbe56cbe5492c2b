"""Recognises the spelling of base64 in a request, and writes base64 in a spelling to rebuild the request.

It recognises what encoders do: either alphabet, each of its two signs and the padding as itself or as an escape, lines
of one length with one kind of break, a data URI in front. A text that mixes spellings, or has padding bits set, comes
back different. So callers must compare the digest of the rebuilt request.
"""

import re
from collections.abc import Iterable, Iterator
from functools import reduce

from pybase64 import b64encode

from domain.body.base64_text import DATA_URI_BYTES, data_uri_of
from models.archive.content import Spelling

_HEAD_BYTES = DATA_URI_BYTES + 8192
_TAIL_BYTES = 64
_LONGEST_ESCAPE_BYTES = len(rb"\u002B")
_BLOCK_BYTES = 192 * 1024  # of decoded data: a multiple of three

_BLANK = rb"(?:\\[rnt]|\\u00(?:0[9aAdD]|20)|[ ])"
_BREAK = re.compile(rb"%b++" % _BLANK)
_END = re.compile(rb"(=|\\u003[dD])?+(?:=|\\u003[dD])?+(%b*+)\Z" % _BLANK)
_CHARACTER = re.compile(rb"\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL)
_PLUS = (b"+", b"-", rb"\u002B", rb"\u002b", rb"\u002D", rb"\u002d")
_SLASH = (rb"\/", b"/", b"_", rb"\u002F", rb"\u002f", rb"\u005F", rb"\u005f")


class SpellingReader:
    """A recogniser of the spelling of a text, taken in pieces. Its memory is flat, and it is as fast as memchr."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._is_in_head = True
        self._prefix = b""
        self._tail = b""
        self._plus: bytes | None = None
        self._slash: bytes | None = None

    def feed(self, piece: bytes | memoryview) -> None:
        """Take the next piece of a base64 text."""
        if self._is_in_head:
            missing_bytes = _HEAD_BYTES - len(self._head)
            self._head += piece[:missing_bytes]
            piece = piece[missing_bytes:]
            if len(self._head) == _HEAD_BYTES:
                self._end_head()
        if piece:
            self._look(piece)

    def spelling(self, size_bytes: int) -> Spelling:
        """Return the spelling of the complete text, which has `size_bytes` when decoded."""
        if self._is_in_head:
            self._end_head()
        end = _END.search(self._tail)
        pad, last_break = (end[1], end[2]) if end else (None, b"")
        line, line_break = self._lines()
        return Spelling(
            prefix=self._prefix.decode(),
            plus=(self._plus or b"+").decode(),
            slash=(self._slash or b"/").decode(),
            pad=pad.decode() if pad else "" if size_bytes % 3 else "=",
            line=line,
            line_break=line_break.decode(),
            ends_with_break=bool(last_break),
        )

    def _end_head(self) -> None:
        self._is_in_head = False
        self._prefix = data_uri_of(bytes(self._head))
        del self._head[: len(self._prefix)]
        self._look(bytes(self._head))

    def _look(self, piece: bytes | memoryview) -> None:
        if not (self._plus and self._slash):
            text = self._tail[-_LONGEST_ESCAPE_BYTES + 1 :] + piece  # an escape may lie across the border
            self._plus = self._plus or _first(_PLUS, text)
            self._slash = self._slash or _first(_SLASH, text)
        self._tail = (self._tail + bytes(piece[-_TAIL_BYTES:]))[-_TAIL_BYTES:]

    def _lines(self) -> tuple[int, bytes]:
        """Return the length of the first line in characters, and the break behind it."""
        found = _BREAK.search(self._head)
        if not found:
            return 0, b""
        return len(_CHARACTER.findall(self._head, 0, found.start())), found[0]


def spelled(data: Iterable[bytes], spelling: Spelling) -> Iterator[bytes]:
    """Encode data as base64 in a spelling, piece by piece."""
    if spelling.prefix:
        yield spelling.prefix.encode()
    text = _encoded(data, has_pads=bool(spelling.pad))
    yield from _with_signs(_in_lines(text, spelling) if spelling.line or spelling.ends_with_break else text, spelling)


def _encoded(data: Iterable[bytes], *, has_pads: bool) -> Iterator[bytes]:
    carry = b""
    for piece in data:
        whole = carry + piece if carry else piece
        end = len(whole) - len(whole) % 3
        carry = whole[end:]
        for start in range(0, end, _BLOCK_BYTES):
            yield b64encode(whole[start : min(start + _BLOCK_BYTES, end)])
    if carry:
        last = b64encode(carry)
        yield last if has_pads else last.rstrip(b"=")


def _in_lines(text: Iterable[bytes], spelling: Spelling) -> Iterator[bytes]:
    """Insert a break before each line but the first."""
    line, line_break = spelling.line, spelling.line_break.encode()
    before, begun = b"", b""
    for piece in text:
        if not line:
            yield piece
            continue
        begun += piece
        end = len(begun) - len(begun) % line
        if end:
            yield before + line_break.join(begun[start : start + line] for start in range(0, end, line))
            before, begun = line_break, begun[end:]
    if begun:
        yield before + begun
    if spelling.ends_with_break:
        yield line_break


def _with_signs(text: Iterable[bytes], spelling: Spelling) -> Iterator[bytes]:
    changed = [
        (plain, written.encode())
        for plain, written in ((b"+", spelling.plus), (b"/", spelling.slash), (b"=", spelling.pad))
        if written and written.encode() != plain
    ]
    if not changed:
        yield from text
        return
    for piece in text:
        yield reduce(lambda written, change: written.replace(*change), changed, piece)


def _first(ways: Iterable[bytes], text: bytes) -> bytes | None:
    """Return the way of writing a sign that comes first in a text, or None."""
    places = [(place, way) for way in ways if (place := text.find(way)) >= 0]
    return min(places)[1] if places else None
