"""Parses JSON text strictly.

RFC 8259, section 9, leaves some cases to the parser. Accepted: a UTF-8 byte order mark in front, duplicate keys (the
last wins; `parse_with_repeats` keeps the other values), lone surrogates and NUL written as escapes, integers of any
length, 1e999. Refused: NaN and the infinities, and numbers whose exponent is beyond `decimal` (18 digits).
"""

import json
import re
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from domain.words.wording import N_
from models.errors import RefusalCode

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BLANK = b" \t\n\r"

_TOKENS = re.compile(
    r"""
    "(?:[^"\\]++|\\.)*+"
    |-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?+[0-9]++)?+
    |NaN|-?Infinity
    """,
    re.DOTALL | re.VERBOSE,
)

REASONS_OF_PYTHON = (
    *(N_("Expecting value"), N_("Expecting ',' delimiter"), N_("Expecting ':' delimiter"), N_("Extra data")),
    *(N_("Expecting property name enclosed in double quotes"), N_("Illegal trailing comma before end of object")),
    *(N_("Illegal trailing comma before end of array"), N_("Unterminated string starting at")),
    *(N_("Invalid control character at"), N_("Invalid \\escape"), N_("Invalid \\uXXXX escape")),
)
"""What the standard library says of a text, so that a page can word it."""


class JsonFault(Exception):
    """The text is not JSON. `offset` is the place of the first wrong byte, `code` is NOT_JSON or NOT_UTF8.

    `reason` never repeats the text.
    """

    def __init__(self, code: RefusalCode, reason: str, offset: int) -> None:
        super().__init__(f"{code} at byte {offset}: {reason}")
        self.code = code
        self.reason = reason
        self.offset = offset


class _Constant(Exception):
    """The parser met NaN or an infinity."""


class Repeating(dict[str, Any]):
    """An object in which a key came more than once. `earlier` has the values before the last, which counts.

    The root is one as soon as any object of the document is.
    """

    def __init__(self, members: Iterable[tuple[str, Any]], earlier: list[tuple[str, Any]]) -> None:
        super().__init__(members)
        self.earlier = earlier


def parse_with_repeats(text: bytes) -> Any:
    """Return the value of `text` as `parse` does, with each object that repeats a key as `Repeating`. Slower."""
    found: list[Repeating] = []

    def made(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) == len(pairs):
            return members
        last = {key: number for number, (key, _) in enumerate(pairs)}
        found.append(Repeating(pairs, [pair for number, pair in enumerate(pairs) if last[pair[0]] != number]))
        return found[-1]

    value = _parsed(text, _decoder(made))
    return Repeating(value.items(), []) if found and type(value) is dict else value


def parse(text: bytes) -> Any:
    """Return the value of `text`: str, int, Decimal, bool, None, list or dict.

    Numbers with a fraction or an exponent are Decimals, and so are integers longer than Python converts (4300 digits
    unless set otherwise). Recursive: the caller bounds the nesting.

    Raises JsonFault if the text is not JSON.
    """
    return _parsed(text, _DECODER)


def _parsed(text: bytes, decoder: json.JSONDecoder) -> Any:
    begin = len(BYTE_ORDER_MARK) if text.startswith(BYTE_ORDER_MARK) else 0
    try:
        characters = text[begin:].decode()
    except UnicodeDecodeError as error:
        raise JsonFault("NOT_UTF8", N_("not UTF-8"), begin + error.start) from None
    try:
        return decoder.decode(characters)
    except json.JSONDecodeError as error:
        reason, place = error.msg.partition(":")[0], error.pos  # older Pythons repeat the text after the colon
    except _Constant:
        reason, place = N_("NaN and Infinity are not JSON"), _first(characters, _is_constant)
    except InvalidOperation:
        reason, place = N_("a number's exponent is too large"), _first(characters, _is_beyond_decimal)
    raise JsonFault("NOT_JSON", reason, begin + len(characters[:place].encode()))


def _integer(digits: str) -> int | Decimal:
    try:
        return int(digits)
    except ValueError:
        return Decimal(digits)


def _refuse_constant(_: str) -> NoReturn:
    raise _Constant


def _decoder(made: Callable[[list[tuple[str, Any]]], Any] | None = None) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=made, parse_int=_integer, parse_float=Decimal, parse_constant=_refuse_constant
    )


_DECODER = _decoder()


def _first(characters: str, is_wrong: Callable[[str], bool]) -> int:
    """Return the place of the first token that `is_wrong`, which json's hooks do not report."""
    return next(token.start() for token in _TOKENS.finditer(characters) if is_wrong(token[0]))


def _is_constant(token: str) -> bool:
    return token in {"NaN", "Infinity", "-Infinity"}


def _is_beyond_decimal(token: str) -> bool:
    if token[0] not in "-0123456789":
        return False
    try:
        Decimal(token)
    except InvalidOperation:
        return True
    return False
