"""Reads the file that describes the format of settlement reports."""

import tomllib
from collections import Counter
from dataclasses import asdict

from pydantic import TypeAdapter, ValidationError

from models.errors import Refused
from models.settlements.report_format import ReportFormat, ReportKinds

_FORMAT = TypeAdapter(ReportFormat)


def read_format(text: str) -> ReportFormat:
    """Return the report format that a TOML text describes.

    Raises:
        Refused: the text is not TOML, lacks a required name, has an unknown name, or contradicts itself.

    Source: docs/settlement.md.
    """
    try:
        described = _FORMAT.validate_python(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise _wrong(f"expected TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise _wrong(first["msg"], ".".join(map(str, first["loc"]))) from error
    columns = described.columns
    if not (columns.cguid or (columns.authorisation and columns.card and columns.paid_on)):
        raise _wrong("expected cguid, or authorisation, card and paid_on: rows are matched by these", "columns")
    if not (columns.currency or described.currency):
        raise _wrong("expected a column for the currency, or `currency` for all rows", "currency")
    if described.decimal_separator == described.thousands_separator:
        raise _wrong("expected a separator other than decimal_separator", "thousands_separator")
    if twice := _of_two_kinds(described.kinds):
        raise _wrong(f"expected each word to stand for one kind of row, but {twice!r} stands for two", "kinds")
    return described


def _of_two_kinds(kinds: ReportKinds) -> str | None:
    """Return a word that stands for two kinds, ignoring case, or None. It would count for the last kind only."""
    words = Counter(word for said in asdict(kinds).values() for word in {each.casefold() for each in said})
    return next((word for word, count in words.items() if count > 1), None)


def _wrong(expected: str, where: str = "") -> Refused:
    return Refused("BAD_SETTLEMENT_COLUMNS", expected, where=where)
