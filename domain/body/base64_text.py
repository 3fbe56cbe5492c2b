"""Decodes the base64 text of a JSON string while it arrives.

Accepted, besides the plain spelling of RFC 4648 section 4:

- the url-safe alphabet (section 5), also mixed with the standard alphabet: the two never contradict each other;
- missing or incomplete padding; padding bits that are not zero (`QR==`), as Python's own decoder does;
- characters written as JSON escapes (`\\/`, `\\u002B`, `\\u003d`), anywhere;
- white space anywhere: a space, or tab, line feed and carriage return as JSON escapes (`\\r\\n`, `\\u000a`);
- a data URI in front, `data:…;base64,`, from the very first character, in any case, at most `DATA_URI_BYTES` long as
  sent; what follows the comma is base64 as above, without percent-encoding;
- nothing at all.

Refused as NOT_JSON: raw control characters, and escapes that JSON does not know. Refused as NOT_UTF8: invalid UTF-8 in
the head of a data URI.
Refused as NOT_BASE64: every other character (non-ASCII bytes are not examined further), padding before its place, data
after padding, too much padding, one character left over, a data URI without `;base64`.
"""

import re
from binascii import Error as DecodeError
from collections.abc import Callable
from typing import NoReturn

import orjson
from pybase64 import b64decode, b64encode

from domain.body.json_text import JsonFault, parse
from domain.words.wording import N_
from models.errors import RefusalCode, Refused
from models.said import Sentence

DATA_URI_BYTES = 1024
BLOCK_BYTES = 256 * 1024
"""Bytes decoded at a time, whatever the size of the pieces. Memory stays flat, and the block stays in the cache."""

_STANDARD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_FROM_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_PAD = ord("=")

_DATA = re.compile(rb"(?:d|\\u00[46]4)(?:a|\\u00[46]1)(?:t|\\u00[57]4)(?:a|\\u00[46]1)(?::|\\u003a)", re.IGNORECASE)
_DATA_BYTES = len(rb"\u0064" * 5)  # enough bytes to recognise `data:` in any spelling
_THROUGH_COMMA = re.compile(rb"(?:[^,\\]++|\\(?!u002[cC]).)*+(?:,|\\u002[cC])", re.DOTALL)
_OPEN_ESCAPE = re.compile(rb"\\(?:u[0-9a-fA-F]{0,3})?")
_OPEN_ESCAPE_BYTES = len(rb"\u000")

_TOKENS = re.compile(
    rb"""(?P<data>[A-Za-z0-9+/_-]++)
    |(?P<blank>[ ]++)
    |(?P<escape>\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))
    |(?P<pad>=)
    |(?P<open>\\(?:u[0-9a-fA-F]{0,3})?\Z)
    |(?P<invalid>[\x00-\x1f\\])
    |(?P<foreign>.)""",
    re.DOTALL | re.VERBOSE,
)
_ESCAPED = dict.fromkeys((_STANDARD + b"-_").decode(), "data") | dict.fromkeys(" \t\n\r", "blank") | {"=": "pad"}


class Base64Text:
    """A decoder of one base64 text that arrives in pieces. The borders between the pieces do not matter.

    A plainly spelled piece is decoded directly. If that fails, the piece is converted to the plain spelling. If that
    fails too, it is read character by character to find what is wrong and where.

    Args:
        write: takes the decoded bytes, or None.
        where: the JSON path of the text, for refusals.
        offset: the offset of the text's first byte in the body, for refusals.
    """

    def __init__(self, write: Callable[[bytes], None] | None, *, where: str, offset: int) -> None:
        self.size_bytes = 0
        self.is_plain = True
        """Whether the text so far is exactly the RFC 4648 encoding of the data."""
        self._write = write
        self._where = where
        self._offset = offset  # of the first byte that is not consumed yet
        self._held = b""  # bytes that cannot be interpreted before more arrive
        self._is_begun = False  # whether the check for a data URI is done
        self._carry = b""  # up to three characters of an incomplete group of four, in plain spelling
        self._pads_left: int | None = None  # how much padding may follow, once padding has begun

    def feed(self, piece: memoryview) -> None:
        """Take the next piece.

        Raises Refused: NOT_BASE64 or NOT_JSON, with the offset of the first byte that is wrong.
        """
        for start in range(0, len(piece), BLOCK_BYTES):
            self._feed_block(piece[start : start + BLOCK_BYTES])

    def finish(self) -> None:
        """Complete the text.

        Raises as `feed` does. If something is missing, the offset is just behind the text.
        """
        self._consume_held()
        if self._held:
            # The text ends within an escape. After a lone backslash, the quote is part of the string.
            if self._held == b"\\":
                self._refuse("NOT_BASE64", N_("an escaped quote, which base64 does not have"))
            self._refuse("NOT_JSON", N_("an escape that JSON does not know"))
        self.is_plain = self.is_plain and not self._carry
        if len(self._carry) == 1:
            self._refuse("NOT_BASE64", N_("one character too many or too few"))
        if self._carry:
            self._emit(b64decode(self._carry.ljust(4, b"="), validate=True))

    def _feed_block(self, block: bytes | memoryview) -> None:
        if self._held:
            block = self._held + block
            self._held = b""
        if not self._is_begun:
            if len(block) < _DATA_BYTES:
                self._held = bytes(block)
                return
            block = self._begin(block, is_all=False)
        self._consume(block)

    def _consume_held(self) -> None:
        block, self._held = self._held, b""
        if not self._is_begun:
            block = bytes(self._begin(block, is_all=True))
        self._consume(block)

    def _begin(self, block: bytes | memoryview, *, is_all: bool) -> bytes | memoryview:
        """Return the block without its data URI. Hold the whole block while the URI is incomplete."""
        found = _DATA.match(block)
        if not found:
            self._is_begun = True
            return block
        end = _THROUGH_COMMA.match(block, found.end(), DATA_URI_BYTES)
        if end:
            self._check_data_uri(bytes(block[: end.end()]))
            self.is_plain = False
            self._is_begun = True
            self._offset += end.end()
            return block[end.end() :]
        if is_all or len(block) >= DATA_URI_BYTES:
            self._refuse("NOT_BASE64", f"a data URI without ';base64,' in its first {DATA_URI_BYTES} bytes")
        self._held = bytes(block)
        return b""

    def _check_data_uri(self, raw: bytes) -> None:
        try:
            text: str = parse(b'"%b"' % raw)
        except JsonFault as fault:
            self._refuse(fault.code, fault.reason, fault.offset - 1)
        if not text.lower().endswith(";base64,"):
            self._refuse("NOT_BASE64", N_("a data URI without ';base64,'"))

    def _consume(self, block: bytes | memoryview) -> None:
        if not block:
            return
        if not self._decode_if_plain(block):
            self.is_plain = False
            block = self._hold_open_escape(bytes(block))
            self._decode_spelled(block)
        self._offset += len(block)

    def _decode_if_plain(self, block: bytes | bytearray | memoryview) -> bool:
        """Decode a plainly spelled block. For any other block, return False and change nothing."""
        return self._pads_left is None and self._decode_plain(memoryview(block))

    def _decode_plain(self, block: memoryview) -> bool:
        lead = -len(self._carry) % 4  # characters that complete the carried group
        end = len(block) - (len(block) - lead) % 4
        rest = bytes(block[end:])
        if end <= lead or rest.translate(None, _STANDARD):
            return False
        try:
            first = b64decode(self._carry + block[:lead], validate=True) if lead else b""
            data = b64decode(block[lead:end], validate=True)
        except DecodeError:
            return False
        is_padded = block[end - 1] == _PAD
        if (is_padded and rest) or (lead and block[lead - 1] == _PAD):
            return False  # something follows the padding
        if is_padded:
            last = (self._carry + bytes(block[:end]))[-4:]
            self.is_plain = self.is_plain and b64encode(b64decode(last)) == last  # else padding bits are set
        self._pads_left = 0 if is_padded else None
        self._carry = rest
        self._emit(first)
        self._emit(data)
        return True

    def _hold_open_escape(self, block: bytes) -> bytes:
        """Return the block without an escape that may be cut off at its end, and hold the escape."""
        start = block.rfind(b"\\", max(0, len(block) - _OPEN_ESCAPE_BYTES))
        # The second of two backslashes opens no escape, and base64 has neither.
        if start >= 0 and _OPEN_ESCAPE.fullmatch(block, start) and block[start - 1 : start] != b"\\":
            self._held = block[start:]
            return block[:start]
        return block

    def _decode_spelled(self, block: bytes) -> None:
        """Decode a block in any spelling. Raises Refused if it is not base64."""
        try:
            text, blanks = _unescaped(block)
            if not self._decode_if_plain(text):
                text = _standard(text, blanks)
                if not self._decode_if_plain(text):
                    self._decode_text(text)
        except ValueError:
            self._refuse_first_fault(block + self._held)

    def _decode_text(self, text: bytes | bytearray) -> None:
        """Decode text in plain spelling, padding included, or raise ValueError and change nothing."""
        data = self._carry + text.rstrip(b"=")
        if b"=" in data:
            raise ValueError("padding in the middle")
        pads = len(self._carry) + len(text) - len(data)
        allowed = self._pads_left
        if allowed is None:
            allowed = _padding_of(len(data)) if pads else None
        elif data:
            raise ValueError(N_("data after padding"))
        if allowed is None:
            end = len(data) - len(data) % 4
            if data[end:].translate(None, _STANDARD):
                raise ValueError("not base64")
        else:
            if pads > allowed:
                raise ValueError("too much padding")
            end = len(data)
        decoded = b64decode(data[:end] + b"=" * (-end % 4), validate=True)
        self._carry = data[end:]
        self._pads_left = None if allowed is None else allowed - pads
        self._emit(decoded)

    def _emit(self, data: bytes) -> None:
        if data:
            self.size_bytes += len(data)
            if self._write:
                self._write(data)

    def _refuse_first_fault(self, raw: bytes) -> NoReturn:
        """Refuse the text, naming the first wrong byte of `raw`."""
        characters = len(self._carry)
        allowed = self._pads_left
        for token in _TOKENS.finditer(raw):
            kind = _kind_of(token)
            if kind == "invalid":
                self._refuse("NOT_JSON", N_("a control character or an unknown escape in a string"), token.start())
            if kind == "foreign":
                self._refuse("NOT_BASE64", N_("a character that base64 does not have"), token.start())
            if kind == "data":
                if allowed is not None:
                    self._refuse("NOT_BASE64", N_("data after padding"), token.start())
                characters += 1 if token.lastgroup == "escape" else len(token[0])
            if kind == "pad":
                allowed = _padding_of(characters) if allowed is None else allowed
                if not allowed:
                    self._refuse("NOT_BASE64", N_("padding in the wrong place"), token.start())
                allowed -= 1
        raise AssertionError("decoding base64 failed, but no fault was found in it")

    def _refuse(self, code: RefusalCode, reason: str, place: int = 0) -> NoReturn:
        status = 422 if code == "NOT_BASE64" else 400
        detail = Sentence.at_byte(byte=self._offset + place, reason=reason)
        raise Refused(code, detail, where=self._where, status=status)


def data_uri_of(text: bytes) -> bytes:
    """Return the data URI at the start of an accepted base64 text, up to its comma. Mostly empty."""
    begun = _DATA.match(text)
    whole = _THROUGH_COMMA.match(text, begun.end(), DATA_URI_BYTES) if begun else None
    return text[: whole.end()] if whole else b""


def _unescaped(block: bytes) -> tuple[bytes | bytearray, bytes]:
    """Return the block with its JSON escapes decoded, and the characters that count as white space in it.

    Raw control characters stay in the block (or raise), since they are white space only as escapes. An escape costs
    30 ns; `bytes.replace`, `translate` and `split` are no faster.

    Raises ValueError if the block is not the inside of a JSON string, or is not ASCII.
    """
    text = _without_even_breaks(block)
    if b"\\" not in text:
        return text, b" "
    unescaped: str = orjson.loads(b"".join((b'"', text, b'"')))
    return unescaped.encode("ascii"), b" \t\n\r"


def _standard(text: bytes | bytearray, blanks: bytes) -> bytes | bytearray:
    """Return the text in the standard alphabet and without white space."""
    has_blanks = any(blank in text for blank in blanks)
    return text.translate(_FROM_URL_SAFE, blanks) if has_blanks else text.translate(_FROM_URL_SAFE)


def _without_even_breaks(block: bytes) -> bytes | bytearray:
    """Return the block without its line breaks, if they are equally spaced and it has no other escape.

    MIME wraps base64 like this. Deleting the breaks column by column is three times as fast as decoding every escape.
    """
    start = block.find(b"\\")
    line_break = rb"\r\n" if block.startswith(rb"\r\n", start) else rb"\n"
    period = block.find(b"\\", start + len(line_break)) - start
    if start < 0 or period <= len(line_break):
        return block
    lines = bytearray(block)
    for column in reversed(range(len(line_break))):
        found = lines[start + column :: period]
        if found.strip(line_break[column : column + 1]):
            return block
        del lines[start + column :: period]
        period -= 1
    return block if b"\\" in lines else lines


def _padding_of(characters: int) -> int:
    """Return how much padding may follow a number of characters. None may follow a single character left over."""
    return (0, 0, 2, 1)[characters % 4]


def _kind_of(token: re.Match[bytes]) -> str:
    if token.lastgroup != "escape":
        return str(token.lastgroup)
    return _ESCAPED.get(parse(b'"%b"' % token[0]), "foreign")
