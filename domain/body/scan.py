"""Scans an archive's body while it streams by: cuts out the contents and leaves the skeleton, a small JSON document.

A content is a string at exactly `attachments[i].content` or `signed_document.content` of the root object. Each content
is cut, decoded from base64 and handed to a sink. In the skeleton its index replaces it. Everything else stays in the
skeleton byte by byte, so a value at such a path in the parsed skeleton is always an index that the scanner wrote.

In the containers that lead to a content, the scanner reads mark by mark, and refuses at once a mark that JSON does not
allow there. Elsewhere it only distinguishes strings and brackets, which is exact for every body that is JSON. At the
end, parsing the skeleton shows whether the body is JSON, since the two differ only in contents, which were checked.

Each mark costs about a microsecond. To bound that cost, one regular expression reads whole members that lead to no
content, and `MAX_FILES` limits the files.
"""

import re
from collections import Counter
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, NoReturn, Protocol

from domain.body.base64_text import Base64Text
from domain.body.json_text import BLANK, BYTE_ORDER_MARK
from domain.body.skeleton import MAX_SKELETON_BYTES, Cut, Skeleton, refuse
from domain.words.wording import N_

__all__ = ["MAX_DEPTH", "MAX_FILES", "MAX_SKELETON_BYTES", "ContentSink", "Cut", "Scan", "Scanner"]

MAX_DEPTH = 64
MAX_FILES = 10_000
"""The most attachments, and the most contents, in a body. Members with duplicate keys count. The same limit holds for
lists of attachments and for signed documents, of which duplicate keys make several."""


class ContentSink(Protocol):
    """A consumer of the contents, one after the other."""

    def begin(self, index: int) -> None:
        """Begin a content."""

    def text(self, piece: memoryview) -> None:
        """Take the next bytes of the content as sent between the quotes. They are valid only during the call."""

    def write(self, data: bytes) -> None:
        """Take the next bytes of the content, decoded."""

    def end(self, *, is_plain: bool) -> None:
        """Complete the content, which was valid base64. It is plain if encoding it again gives the same text."""


@dataclass(frozen=True, slots=True)
class Scan:
    """The result of the scan of a whole body."""

    skeleton: bytes
    """The body's own bytes with each content replaced by its index in decimal digits."""
    document: dict[str, Any]
    """The skeleton parsed, by `json_text.parse`. The last of duplicate keys counts."""
    cuts: tuple[Cut, ...]
    size_bytes: int
    """Size of the body."""


class _Container(Enum):
    """The container that the scanner is in."""

    BODY = auto()
    ROOT = auto()
    ATTACHMENTS = auto()
    ATTACHMENT = auto()
    SIGNED_DOCUMENT = auto()
    OTHER = auto()
    """Any object or array that cannot hold a content, with everything in it."""


class _Next(Enum):
    """What JSON allows next in a container that is followed mark by mark."""

    KEY_OR_END = auto()
    KEY = auto()
    COLON = auto()
    VALUE_OR_END = auto()
    VALUE = auto()
    COMMA_OR_END = auto()


_INSIDE = {
    (_Container.BODY, "", b"{"): _Container.ROOT,
    (_Container.ROOT, "attachments", b"["): _Container.ATTACHMENTS,
    (_Container.ROOT, "signed_document", b"{"): _Container.SIGNED_DOCUMENT,
    (_Container.ATTACHMENTS, "", b"{"): _Container.ATTACHMENT,
}
_AROUND = {
    _Container.ROOT: _Container.BODY,
    _Container.ATTACHMENTS: _Container.ROOT,
    _Container.SIGNED_DOCUMENT: _Container.ROOT,
    _Container.ATTACHMENT: _Container.ATTACHMENTS,
}
_END = {
    _Container.ROOT: b"}",
    _Container.ATTACHMENTS: b"]",
    _Container.SIGNED_DOCUMENT: b"}",
    _Container.ATTACHMENT: b"}",
}
_FILES = (_Container.ATTACHMENT, _Container.SIGNED_DOCUMENT)
_KEYS = (_Next.KEY_OR_END, _Next.KEY)
_VALUES = (_Next.VALUE_OR_END, _Next.VALUE)
_ENDS = (_Next.KEY_OR_END, _Next.VALUE_OR_END, _Next.COMMA_OR_END)

_NAMES = ("attachments", "signed_document", "content")
_LONGEST_NAME_BYTES = len(rb"\u0000") * len("signed_document")  # every character written as an escape


def _spelled(name: str) -> bytes:
    """Return a pattern that matches a name in every JSON spelling."""
    spellings = (rf"(?:{character}|\\u00(?i:{ord(character):02x}))" for character in name)
    return "".join(spellings).encode()


# All quantifiers are possessive, and no byte is tried more than a few times.
_NAME = re.compile(b"|".join(b"(?P<%b>%b)" % (name.encode(), _spelled(name)) for name in _NAMES))
_BLANKS = re.compile(rb"[ \t\n\r]*+")
_MARK = re.compile(rb"[ \t\n\r]*+([^ \t\n\r])?")
_SCALAR = re.compile(rb'[^"\[\]{},: \t\n\r]*+')
# A string without a backslash before its closing quote matches ten times as fast as a string with escapes.
_STRING = re.compile(rb'(?>[^"]*+(?<!\\)(?="|\Z)|[^"\\]*+(?:\\.[^"\\]*+)*+)', re.DOTALL)
_FLAT = rb'[^"\[\]{}]*+(?:"%b"[^"\[\]{}]*+)*+' % _STRING.pattern
_BRACKETS = re.compile(rb'%b(?:([\[{]++)|([\]}]++)|(")|\Z)' % _FLAT, re.DOTALL)
_LEVELS_AT_ONCE = 20  # nesting that one match reads; a deeper value is long enough to be worth its marks


def _members(*ways: tuple[str, bytes]) -> re.Pattern[bytes]:
    """Return a pattern of members that lead to no content. `ways`: names that lead to a content, with the first marks.

    A value counts only with the mark behind it, since otherwise the end of the chunk may have cut off the value.
    """
    inside = _FLAT
    for _ in range(_LEVELS_AT_ONCE - 1):
        inside = rb"%b(?:[\[{]%b[\]}]%b)*+" % (_FLAT, inside, _FLAT)
    leading = b"|".join(rb'%b"B:B%b' % (_spelled(name), re.escape(mark)) for name, mark in ways)
    value = rb'(?:"%b"|[^"\[\]{},: \t\n\r]++|[\[{]%b[\]}])(?=B[,}])' % (_STRING.pattern, inside)
    member = rb'B"(?!%b)%b"B:B%b' % (leading, _STRING.pattern, value)
    pattern = b"%b(?:B,%b)*+" % (member, member)
    return re.compile(pattern.replace(b"B", _BLANKS.pattern), re.DOTALL)


_MEMBERS = {
    _Container.ROOT: _members(("attachments", b"["), ("signed_document", b"{")),
    **dict.fromkeys(_FILES, _members(("content", b'"'))),
}


class Scanner:
    """A scanner of a body that arrives in chunks. The borders between the chunks do not matter.

    After a refusal, a scanner takes no further chunks.
    """

    def __init__(self, sink: ContentSink | None = None, *, max_skeleton_bytes: int = MAX_SKELETON_BYTES) -> None:
        self._sink = sink
        self._skeleton = Skeleton(max_skeleton_bytes)
        self._offset = 0  # of the current chunk in the body

        self._container = _Container.BODY
        self._next = _Next.VALUE
        self._key = ""  # the current key, if it is in _NAMES
        self._depth = 0
        self._around_other = _Container.BODY
        self._depth_around_other = 0
        self._attachment = -1  # the index in its list
        self._counts: Counter[str] = Counter()

        self._is_in_scalar = False
        self._is_in_string = False
        self._is_escaped = False  # the chunk ended between a backslash and the escaped byte
        self._string_start = 0  # in the skeleton
        self._content: Base64Text | None = None
        self._content_start = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next chunk of the body. Raises Refused if the body is invalid, whatever follows."""
        position = 0
        while position < len(chunk):
            if self._content:
                position = self._read_content(self._content, chunk, position)
            elif self._is_in_string:
                position = self._read_string(chunk, position)
            elif self._is_in_scalar:
                position = self._read_scalar(chunk, position)
            elif self._container is _Container.OTHER:
                position = self._read_other(chunk, position)
            elif self._next in _KEYS:
                position = self._read_members(chunk, position)
            else:
                position = self._read_mark(chunk, position)
        self._offset += len(chunk)

    def beginning(self, most_bytes: int) -> bytes:
        """Return the first bytes of the skeleton so far, also after a refusal."""
        return self._skeleton.beginning(most_bytes)

    def close(self) -> Scan:
        """Return the scan of the complete body. Raises Refused if the body is not a JSON object."""
        skeleton = bytes(self._skeleton)
        if self._content or self._is_in_string or self._depth:
            refuse("TRUNCATED", N_("the body ends within a string, an array or an object"), self._offset)
        if not skeleton.removeprefix(BYTE_ORDER_MARK).strip(BLANK):
            refuse("EMPTY_BODY", N_("the body is empty"), 0)
        document = self._skeleton.parse()
        if not isinstance(document, dict):
            begin = len(BYTE_ORDER_MARK) if skeleton.startswith(BYTE_ORDER_MARK) else 0
            begin = _past(_BLANKS, skeleton, begin)
            refuse("NOT_AN_OBJECT", N_("expected a JSON object, got another JSON value"), begin)
        return Scan(skeleton, document, tuple(self._skeleton.cuts), self._offset)

    def _read_members(self, chunk: bytes, start: int) -> int:
        """Read whole members that lead to no content, faster than mark by mark."""
        found = _MEMBERS[self._container].match(chunk, start)
        if not found:
            return self._read_mark(chunk, start)
        self._keep(chunk, start, found.end())
        self._next = _Next.COMMA_OR_END
        return found.end()

    def _read_mark(self, chunk: bytes, start: int) -> int:
        """Read up to and including the next byte that is not blank."""
        found = _MARK.match(chunk, start)
        position = found.end() if found else start
        self._keep(chunk, start, position)
        if found and found[1]:
            self._take_mark(found[1], self._offset + position - 1)
        return position

    def _take_mark(self, mark: bytes, offset: int) -> None:
        if self._next in _KEYS and mark == b'"':
            self._begin_string()
        elif self._next is _Next.COLON and mark == b":":
            self._next = _Next.VALUE
        elif self._next in _VALUES and mark not in b"]},:":
            self._begin_value(mark, offset)
        elif self._next in _ENDS and mark == _END.get(self._container):
            self._close()
        elif self._next is _Next.COMMA_OR_END and mark == b"," and self._container is not _Container.BODY:
            self._next = _Next.VALUE if self._container is _Container.ATTACHMENTS else _Next.KEY
        else:
            self._refuse_mark(offset)

    def _refuse_mark(self, offset: int) -> NoReturn:
        """Refuse the body for its first fault, at the latest the mark that was just read."""
        self._skeleton.parse(end=-1)
        refuse("NOT_JSON", N_("something follows the JSON value"), offset)

    def _begin_value(self, mark: bytes, offset: int) -> None:
        if self._container is _Container.ATTACHMENTS:
            self._attachment += 1
            self._count("attachments", offset, where=f"attachments[{self._attachment}]")
        elif self._container is _Container.BODY and mark == BYTE_ORDER_MARK[offset : offset + 1]:
            return  # the value follows the byte order mark
        self._next = _Next.COMMA_OR_END
        if mark in b"[{":
            self._open(mark, offset)
        elif mark != b'"':
            self._is_in_scalar = True
        elif self._key == "content" and self._container in _FILES:
            self._begin_content(offset + 1)
        else:
            self._begin_string()

    def _count(self, what: str, offset: int, *, where: str) -> None:
        self._counts[what] += 1
        if self._counts[what] > MAX_FILES:
            refuse("TOO_MANY_FILES", f"more than {MAX_FILES} {what}", offset, where=where, status=413)

    def _open(self, bracket: bytes, offset: int) -> None:
        inside = _INSIDE.get((self._container, self._key, bracket), _Container.OTHER)
        if inside is _Container.OTHER:
            self._around_other = self._container
            self._depth_around_other = self._depth
        elif inside is _Container.ATTACHMENTS:
            self._count("lists of attachments", offset, where="attachments")
            self._attachment = -1
            self._next = _Next.VALUE_OR_END
        else:
            if inside is _Container.SIGNED_DOCUMENT:
                self._count("signed documents", offset, where="signed_document")
            self._next = _Next.KEY_OR_END
        self._container = inside
        self._key = ""
        self._depth += 1

    def _close(self) -> None:
        self._container = _AROUND[self._container]
        self._next = _Next.COMMA_OR_END
        self._key = ""
        self._depth -= 1

    def _read_other(self, chunk: bytes, start: int) -> int:
        """Continue in a container that cannot hold a content, where only strings and depth matter."""
        position, depth = start, self._depth
        for found in _BRACKETS.finditer(chunk, start):
            position = found.end()
            if found.lastindex == 1:
                depth += position - found.start(1)
                if depth > MAX_DEPTH:
                    position -= depth - MAX_DEPTH - 1
                    self._keep(chunk, start, position)
                    refuse("TOO_DEEP", f"more than {MAX_DEPTH} levels of nesting", self._offset + position - 1)
            elif found.lastindex == 2:
                depth -= position - found.start(2)
                if depth <= self._depth_around_other:
                    position -= self._depth_around_other - depth
                    depth = self._depth_around_other
                    self._container = self._around_other
                    break
            else:  # the chunk ends here, or within the string that begins here
                self._is_in_string = found.lastindex == 3
                break
        self._depth = depth
        self._keep(chunk, start, position)
        self._string_start = len(self._skeleton)
        return position

    def _read_scalar(self, chunk: bytes, start: int) -> int:
        """Continue in a number, a literal, or invalid text."""
        position = _past(_SCALAR, chunk, start)
        self._is_in_scalar = position == len(chunk)
        self._keep(chunk, start, position)
        return position

    def _begin_string(self) -> None:
        self._is_in_string = True
        self._string_start = len(self._skeleton)

    def _read_string(self, chunk: bytes, start: int) -> int:
        """Continue in a string that stays in the skeleton."""
        position = _past(_STRING, chunk, start + self._is_escaped)
        mark = chunk[position : position + 1]
        self._is_escaped = mark == b"\\"  # then it is the last byte of the chunk
        self._keep(chunk, start, position + len(mark))
        if mark == b'"':
            self._end_string()
        return position + len(mark)

    def _end_string(self) -> None:
        self._is_in_string = False
        if self._next in _KEYS:
            self._next = _Next.COLON
            size_bytes = len(self._skeleton) - 1 - self._string_start
            is_short = size_bytes <= _LONGEST_NAME_BYTES
            name = _NAME.fullmatch(self._skeleton.since(self._string_start)[:-1]) if is_short else None
            self._key = name.lastgroup or "" if name else ""

    def _begin_content(self, offset: int) -> None:
        where = self._where()
        self._count("contents", offset - 1, where=where)
        if self._sink:
            self._sink.begin(len(self._skeleton.cuts))
        write = self._sink.write if self._sink else None
        self._content = Base64Text(write, where=where, offset=offset)
        self._content_start = offset

    def _read_content(self, content: Base64Text, chunk: bytes, start: int) -> int:
        # The first quote ends the content: a backslash before it would be refused.
        end = chunk.find(b'"', start)
        piece = memoryview(chunk)[start : end if end >= 0 else None]
        content.feed(piece)
        if self._sink:
            self._sink.text(piece)
        if end < 0:
            return len(chunk)
        content.finish()
        if self._sink:
            self._sink.end(is_plain=content.is_plain)
        self._skeleton.cut(self._where(), self._content_start, self._offset + end, content.size_bytes)
        self._content = None
        self._keep(chunk, end, end + 1)
        return end + 1

    def _where(self) -> str:
        if self._container is _Container.SIGNED_DOCUMENT:
            return "signed_document.content"
        return f"attachments[{self._attachment}].content"

    def _keep(self, chunk: bytes, start: int, end: int) -> None:
        self._skeleton.keep(chunk[start:end], self._offset + start)


def _past(pattern: re.Pattern[bytes], chunk: bytes, position: int) -> int:
    """Return the end of a pattern's match, or `position` if there is none."""
    found = pattern.match(chunk, position)
    return found.end() if found else position
