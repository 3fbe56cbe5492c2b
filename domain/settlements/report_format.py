"""Reads the file that describes the format of settlement reports."""

import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from models.errors import Code, Refused
from models.settlements.report_format import ReportFormat

_CODE: Code = "BAD_SETTLEMENT_COLUMNS"
_FORMAT = TypeAdapter(ReportFormat)
Format = TypeVar("Format")


def read_format(text: str) -> ReportFormat:
    """Return the report format that a TOML text describes.

    Raises:
        Refused: the text is not TOML, lacks a required name, has an unknown name, or contradicts itself.

    Source: docs/settlement.md.
    """
    described = read_described(_FORMAT, text, _CODE)
    columns = described.columns
    if not (columns.cguid or (columns.authorisation and columns.card and columns.paid_on)):
        raise _wrong("expected cguid, or authorisation, card and paid_on: rows are matched by these", "columns")
    if not (columns.currency or described.currency):
        raise _wrong("expected a column for the currency, or `currency` for all rows", "currency")
    if described.decimal_separator == described.thousands_separator:
        raise _wrong("expected a separator other than decimal_separator", "thousands_separator")
    # Such a word would count for the last kind only.
    if twice := word_of_two([word.casefold() for word in words] for words in asdict(described.kinds).values()):
        raise _wrong(f"expected each word to stand for one kind of row, but {twice!r} stands for two", "kinds")
    return described


def read_described(format_of: TypeAdapter[Format], text: str, code: Code) -> Format:
    """Return the format that a TOML text describes.

    Raises:
        Refused: with `code`: the text is not TOML, lacks a required name, or has an unknown name.
    """
    try:
        return format_of.validate_python(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise Refused(code, f"expected TOML: {error}", where="") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise Refused(code, first["msg"], where=".".join(map(str, first["loc"]))) from error


def word_of_two(meanings: Iterable[Iterable[str]]) -> str | None:
    """Return a word that has two meanings, or None. Each of `meanings` is the words that have it."""
    counts = Counter(word for words in meanings for word in set(words))
    return next((word for word, count in counts.items() if count > 1), None)


def _wrong(expected: str, where: str = "") -> Refused:
    return Refused(_CODE, expected, where=where)
