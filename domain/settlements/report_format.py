"""Reads the file that tells the form of settlement reports."""

import tomllib
from collections import Counter
from dataclasses import asdict

from pydantic import TypeAdapter, ValidationError

from models.errors import Refused
from models.settlements.report_format import ReportFormat, ReportKinds

_FORMAT = TypeAdapter(ReportFormat)


def read_format(text: str) -> ReportFormat:
    """Return the form that a TOML text describes.

    Raises:
        Refused: it is no TOML, or lacks something, or has a name that nothing reads.

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
        raise _wrong("expected cguid, or authorisation, card and paid_on: nothing else tells whose a row is", "columns")
    if not (columns.currency or described.currency):
        raise _wrong("expected a column for the currency, or `currency` for all rows", "currency")
    if described.decimal_separator == described.thousands_separator:
        raise _wrong("expected another separator than that of decimals", "thousands_separator")
    if twice := _of_two_kinds(described.kinds):
        raise _wrong(f"expected each word to stand for one kind of row, and {twice!r} stands for two", "kinds")
    return described


def _of_two_kinds(kinds: ReportKinds) -> str | None:
    """A word that says two things, however it is written: one of them would be taken silently."""
    words = Counter(word for said in asdict(kinds).values() for word in {each.casefold() for each in said})
    return next((word for word, count in words.items() if count > 1), None)


def _wrong(expected: str, where: str = "") -> Refused:
    return Refused("BAD_SETTLEMENT_COLUMNS", expected, where=where)
