"""The scan of an archive's body: its contents are cut out while it streams by, the rest is a small JSON document.

A content is a string at exactly `attachments[i].content` or `signed_document.content` of the root object. Every such
string is cut, decoded from base64 and handed to a sink; in the rest, the skeleton, its index stands in its place.
Everything else stays in the skeleton byte by byte, so a string at such a path in the parsed skeleton is always an index
that the scanner wrote.

While the body streams by, only strings, brackets, commas and colons are told apart, which is exact for every body that
is JSON. Whether it is JSON is asked of the skeleton at the end. The answer holds for the body, for the two differ only
inside of strings that have been checked themselves.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, NoReturn, Protocol

import orjson

from domain.base64_text import Base64Text
from domain.json_text import BLANK, BYTE_ORDER_MARK, JsonFault, parse
from models.errors import Refused

MAX_DEPTH = 64
MAX_SKELETON_BYTES = 16 * 1024 * 1024


class ContentSink(Protocol):
    """Takes the decoded contents, one after the other."""

    def begin(self, index: int) -> None:
        """A content begins."""

    def write(self, data: bytes) -> None:
        """Take the next bytes of the content; they are valid only during the call."""

    def end(self) -> None:
        """The content is complete and was valid base64."""


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


@dataclass(frozen=True, slots=True)
class Scan:
    """What a whole body turned out to be."""

    skeleton: bytes
    """The body's own bytes with each content replaced by its index in decimal digits."""
    document: dict[str, Any]
    """The skeleton parsed, by `json_text.parse`. Of duplicate keys the last counts."""
    cuts: tuple[Cut, ...]
    size_bytes: int
    """Of the body."""


class _Container(Enum):
    """What the scanner is inside of."""

    BODY = auto()
    ROOT = auto()
    ATTACHMENTS = auto()
    ATTACHMENT = auto()
    SIGNED_DOCUMENT = auto()
    OTHER = auto()
    """Any object or array that cannot hold a content, together with all that is in it."""


_INSIDE = {
    (_Container.BODY, b"", b"{"): _Container.ROOT,
    (_Container.ROOT, b"attachments", b"["): _Container.ATTACHMENTS,
    (_Container.ROOT, b"signed_document", b"{"): _Container.SIGNED_DOCUMENT,
    (_Container.ATTACHMENTS, b"", b"{"): _Container.ATTACHMENT,
}
_AROUND = {
    _Container.ROOT: _Container.BODY,
    _Container.ATTACHMENTS: _Container.ROOT,
    _Container.SIGNED_DOCUMENT: _Container.ROOT,
    _Container.ATTACHMENT: _Container.ATTACHMENTS,
}
_FILES = (_Container.ATTACHMENT, _Container.SIGNED_DOCUMENT)
_OBJECTS = (_Container.ROOT, *_FILES)
_LONGEST_NAME = len(rb"\u0000") * len(b"signed_document")  # every character of it written as an escape

_OPENING = frozenset([b"[", b"{"])
_CLOSING = frozenset([b"]", b"}"])

# All quantifiers are possessive, and no byte is tried more than a few times.
_BLANKS = re.compile(rb"[ \t\n\r]*+")
# A string whose closing quote has no backslash before it is matched ten times as fast as one with escapes.
_STRING = re.compile(rb'(?>[^"]*+(?<!\\)(?="|\Z)|[^"\\]*+(?:\\.[^"\\]*+)*+)', re.DOTALL)
_TOKEN = re.compile(rb'[^"\[\]{},:]*+(?:"([^"\\]{0,%d}+)"|(["\[\]{}:]|,[, \t\n\r]*+))' % _LONGEST_NAME)


def _members() -> re.Pattern[bytes]:
    """Return what matches members that are of no interest, then perhaps a key and its colon.

    A value counts only together with the mark behind it: without that, the end of the chunk may have cut it.
    """
    value = rb'(?:"%b"|[^"\[\]{},: \t\n\r]++)(?=%b[,}])' % (_STRING.pattern, _BLANKS.pattern)
    dull = rb'B,?+B"(?!content")[^"\\]*+"B:B'.replace(b"B", _BLANKS.pattern) + value
    key = rb'B,?+B"([^"\\]*+)"B:'.replace(b"B", _BLANKS.pattern)
    return re.compile(rb"(?:%b)*+(?:%b)?" % (dull, key), re.DOTALL)


def _other(levels: int) -> re.Pattern[bytes]:
    """Return what matches strings, anything between them, and whole containers of at most so many levels."""
    between = rb'[^"\[\]{}]*+'
    flat = rb'%b(?:"%b"%b)*+' % (between, _STRING.pattern, between)
    inside = flat
    for _ in range(levels):
        inside = rb"%b(?:[\[{]%b[\]}]%b)*+" % (flat, inside, flat)
    return re.compile(inside, re.DOTALL)


_MEMBERS = _members()
_LEVELS_AT_ONCE = 4
_OTHER = _other(_LEVELS_AT_ONCE)
_OTHER_FLAT = _other(0)


class Scanner:
    """Take a body in chunks and scan it; the borders between the chunks do not matter.

    After a refusal a scanner is spent.
    """

    def __init__(self, sink: ContentSink | None = None, *, max_skeleton_bytes: int = MAX_SKELETON_BYTES) -> None:
        self._sink = sink
        self._max_skeleton_bytes = max_skeleton_bytes
        self._skeleton = bytearray()
        self._cuts: list[Cut] = []
        self._offset = 0  # of the current chunk in the body

        self._depth = 0
        self._container = _Container.BODY
        self._around_other = _Container.BODY
        self._depth_around_other = 0
        self._attachment = 0

        self._key = b""
        self._is_key_next = False  # and nothing of it is read
        self._is_value_next = False
        self._is_content_next = False

        self._is_in_string = False
        self._is_escaped = False  # a backslash has been seen and not what it escapes
        self._string_start = 0  # in the skeleton
        self._content: Base64Text | None = None
        self._content_start = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next chunk of the body.

        Raises:
            Refused: the body is wrong already, whatever may follow.
        """
        position = 0
        while position < len(chunk):
            if self._content:
                position = self._read_content(self._content, chunk, position)
            elif self._is_in_string:
                position = self._read_string(chunk, position)
            elif self._is_content_next:
                position = self._read_to_content(chunk, position)
            elif self._container is _Container.OTHER:
                position = self._read_other(chunk, position)
            elif self._is_key_next:
                position = self._read_members(chunk, position)
            else:
                position = self._read_token(chunk, position)
        self._offset += len(chunk)

    def close(self) -> Scan:
        """Return the scan of the body, which is complete.

        Raises:
            Refused: the body is not a JSON object.
        """
        skeleton = bytes(self._skeleton)
        if self._content or self._is_in_string or self._depth:
            _refuse("TRUNCATED", "the body ends within a string, an array or an object", self._offset)
        if not skeleton.removeprefix(BYTE_ORDER_MARK).strip(BLANK):
            _refuse("EMPTY_BODY", "there is nothing in the body", 0)
        try:
            document = parse(skeleton)
        except JsonFault as fault:
            _refuse(fault.code, fault.reason, self._body_offset(fault.offset))
        if not isinstance(document, dict):
            begin = len(BYTE_ORDER_MARK) if skeleton.startswith(BYTE_ORDER_MARK) else 0
            begin = _past(_BLANKS, skeleton, begin)
            _refuse("NOT_AN_OBJECT", "an archive is a JSON object, got some other JSON value", begin)
        return Scan(skeleton, document, tuple(self._cuts), self._offset)

    def _read_members(self, chunk: bytes, start: int) -> int:
        """Read members of no interest, as long as they are whole, and the key of the next. A shortcut for tokens."""
        self._is_key_next = False
        found = _MEMBERS.match(chunk, start)
        end = found.end() if found else start
        self._keep(chunk, start, end)
        if found and found[1] is not None:
            self._end_string(found[1])
            self._take_mark(b":", self._offset + end - 1)
        return end

    def _read_token(self, chunk: bytes, position: int) -> int:
        """Read up to and including the next string or punctuation mark of a container that is of interest."""
        token = _TOKEN.match(chunk, position)
        end = token.end() if token else len(chunk)
        self._keep(chunk, position, end)
        if token and token[2] is None:
            self._end_string(token[1])
        elif token:
            self._take_mark(token[2], self._offset + end - 1)
        return end

    def _take_mark(self, mark: bytes, offset: int) -> None:
        if mark == b'"':  # of a string that has escapes in it or does not end in this chunk
            self._is_in_string = True
            self._string_start = len(self._skeleton)
        elif mark == b":":
            self._is_value_next = True
            self._is_content_next = self._key == b"content" and self._container in _FILES
        elif mark in _OPENING:
            self._open(mark)
        elif mark in _CLOSING:
            self._close(offset)
        else:  # a comma; several are not JSON, yet must not take long
            self._expect_key()
            self._attachment += mark.count(b",") if self._container is _Container.ATTACHMENTS else 0

    def _open(self, bracket: bytes) -> None:
        inside = _INSIDE.get((self._container, self._key, bracket), _Container.OTHER)
        if inside is _Container.OTHER:
            self._around_other = self._container
            self._depth_around_other = self._depth
        elif inside is _Container.ATTACHMENTS:
            self._attachment = 0
        self._depth += 1
        self._container = inside
        self._expect_key()

    def _close(self, offset: int) -> None:
        if not self._depth:
            _refuse("NOT_JSON", "a closing bracket without an opening one", offset)
        self._depth -= 1
        self._container = _AROUND[self._container]
        self._expect_key()

    def _expect_key(self) -> None:
        self._key = b""
        self._is_value_next = False
        self._is_key_next = self._container in _OBJECTS

    def _read_other(self, chunk: bytes, start: int) -> int:
        """Read on in a container that cannot hold a content: only strings and depth matter in it."""
        position, depth = start, self._depth
        while depth > self._depth_around_other:
            other = _OTHER if depth <= MAX_DEPTH - _LEVELS_AT_ONCE else _OTHER_FLAT
            position = _past(other, chunk, position)
            mark = chunk[position : position + 1]
            position += len(mark)
            if mark in _OPENING:
                depth += 1
            elif mark in _CLOSING:
                depth -= 1
            else:  # the chunk ends here, or a string begins here that does not end in it
                self._is_in_string = mark == b'"'
                break
            if depth > MAX_DEPTH:
                self._keep(chunk, start, position)
                _refuse("TOO_DEEP", f"more than {MAX_DEPTH} levels of nesting", self._offset + position - 1)
        else:
            self._container = self._around_other
            self._expect_key()
        self._depth = depth
        self._keep(chunk, start, position)
        self._string_start = len(self._skeleton)
        return position

    def _read_string(self, chunk: bytes, start: int) -> int:
        """Read on in a string that stays in the skeleton."""
        position = _past(_STRING, chunk, start + self._is_escaped)
        mark = chunk[position : position + 1]
        self._is_escaped = mark == b"\\"  # then it is the last byte of the chunk
        self._keep(chunk, start, position + len(mark))
        if mark == b'"':
            self._is_in_string = False
            self._end_string(self._skeleton[self._string_start : -1])
        return position + len(mark)

    def _end_string(self, raw: bytes | bytearray) -> None:
        """Note the string if it is a key of an object that is of interest."""
        if self._container in _OBJECTS and not self._is_value_next:
            self._key = _unescaped(bytes(raw)) if len(raw) <= _LONGEST_NAME else b""

    def _read_to_content(self, chunk: bytes, start: int) -> int:
        """Read what stands between the colon and a content; leave it alone if another value is there."""
        position = _past(_BLANKS, chunk, start)
        self._is_content_next = position == len(chunk)
        is_content = chunk[position : position + 1] == b'"'
        position += is_content
        self._keep(chunk, start, position)
        if is_content:
            self._begin_content(self._offset + position)
        return position

    def _begin_content(self, offset: int) -> None:
        if self._sink:
            self._sink.begin(len(self._cuts))
        write = self._sink.write if self._sink else None
        self._content = Base64Text(write, where=self._where(), offset=offset)
        self._content_start = offset

    def _read_content(self, content: Base64Text, chunk: bytes, start: int) -> int:
        # The first quote ends it: were it escaped, its backslash would be refused.
        end = chunk.find(b'"', start)
        if end < 0:
            content.feed(memoryview(chunk)[start:])
            return len(chunk)
        content.feed(memoryview(chunk)[start:end])
        content.finish()
        self._end_content(content, self._offset + end)
        self._keep(chunk, end, end + 1)
        return end + 1

    def _end_content(self, content: Base64Text, offset: int) -> None:
        if self._sink:
            self._sink.end()
        index = len(self._cuts)
        self._cuts.append(
            Cut(
                index=index,
                where=self._where(),
                body_offset=self._content_start,
                raw_size_bytes=offset - self._content_start,
                size_bytes=content.size_bytes,
                skeleton_offset=len(self._skeleton),
            )
        )
        self._extend(b"%d" % index, offset)
        self._content = None

    def _where(self) -> str:
        if self._container is _Container.SIGNED_DOCUMENT:
            return "signed_document.content"
        return f"attachments[{self._attachment}].content"

    def _keep(self, chunk: bytes, start: int, end: int) -> None:
        self._extend(chunk[start:end], self._offset + start)

    def _extend(self, data: bytes, offset: int) -> None:
        free = self._max_skeleton_bytes - len(self._skeleton)
        if len(data) > free:
            reason = f"more than {self._max_skeleton_bytes} bytes beside the contents of files"
            _refuse("SKELETON_TOO_LARGE", reason, offset + free, status=413)
        self._skeleton += data

    def _body_offset(self, skeleton_offset: int) -> int:
        """Return where in the body the byte stands that stands there in the skeleton, outside of the indices."""
        before = bisect_right(self._cuts, skeleton_offset, key=lambda cut: cut.skeleton_offset)
        if not before:
            return skeleton_offset
        cut = self._cuts[before - 1]
        return skeleton_offset - cut.skeleton_offset - len(str(cut.index)) + cut.body_offset + cut.raw_size_bytes


def _past(pattern: re.Pattern[bytes], chunk: bytes, position: int) -> int:
    """Return where the match of a pattern ends that also matches nothing."""
    found = pattern.match(chunk, position)
    return found.end() if found else position


def _unescaped(raw: bytes) -> bytes:
    """Return a key as it is meant, or nothing if it cannot be one of the names that are of interest."""
    if b"\\" not in raw:
        return raw
    try:
        name: str = orjson.loads(b'"%b"' % raw)
    except ValueError:  # not JSON, which comes out at the end, or lone surrogates
        return b""
    return name.encode()


def _refuse(code: str, reason: str, offset: int, *, status: int = 400) -> NoReturn:
    raise Refused(code, f"at byte {offset} of the body: {reason}", status=status)
