"""Parses JSON text strictly.

RFC 8259, section 9, leaves some cases to the parser. Accepted: a UTF-8 byte order mark in front, duplicate keys (the
last wins), lone surrogates and NUL written as escapes, integers of any length, 1e999. Refused: NaN and the infinities,
and numbers whose exponent is beyond `decimal` (18 digits).
"""

import json
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

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


class JsonFault(Exception):
    """The text is not JSON. `offset` is the place of the first wrong byte, `code` is NOT_JSON or NOT_UTF8.

    `reason` never repeats the text.
    """

    def __init__(self, code: str, reason: str, offset: int) -> None:
        super().__init__(f"{code} at byte {offset}: {reason}")
        self.code = code
        self.reason = reason
        self.offset = offset


class _Constant(Exception):
    """The parser met NaN or an infinity."""


def parse(text: bytes) -> Any:
    """Return the value of `text`: str, int, Decimal, bool, None, list or dict.

    Numbers with a fraction or an exponent are Decimals, and so are integers longer than Python converts (4300 digits
    unless set otherwise). Recursive: the caller bounds the nesting.

    Raises:
        JsonFault: the text is not JSON.
    """
    begin = len(BYTE_ORDER_MARK) if text.startswith(BYTE_ORDER_MARK) else 0
    try:
        characters = text[begin:].decode()
    except UnicodeDecodeError as error:
        raise JsonFault("NOT_UTF8", "not UTF-8", begin + error.start) from None
    try:
        return _DECODER.decode(characters)
    except json.JSONDecodeError as error:
        reason, place = error.msg.partition(":")[0], error.pos  # older Pythons repeat the text after the colon
    except _Constant:
        reason, place = "NaN and Infinity are not JSON", _first(characters, _is_constant)
    except InvalidOperation:
        reason, place = "a number's exponent is too large", _first(characters, _is_beyond_decimal)
    raise JsonFault("NOT_JSON", reason, begin + len(characters[:place].encode()))


def _integer(digits: str) -> int | Decimal:
    try:
        return int(digits)
    except ValueError:
        return Decimal(digits)


def _refuse_constant(_: str) -> NoReturn:
    raise _Constant


_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=Decimal, parse_constant=_refuse_constant)


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
