"""Reads the file that describes the format of Cellosign's list of processes."""

import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import TypeAdapter, ValidationError

from domain.completeness.list_cells import plain
from models.completeness.list_format import ListFormat
from models.errors import Refused

_FORMAT = TypeAdapter(ListFormat)


def read_list_format(text: str) -> ListFormat:
    """Return the format that a TOML text describes. What it leaves out has Cellosign's own headings and words.

    Raises:
        Refused: the text is not TOML, has an unknown name, or contradicts itself.

    Source: docs/reconcile.md.
    """
    try:
        described = _FORMAT.validate_python(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise _wrong(f"expected TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise _wrong(first["msg"], ".".join(map(str, first["loc"]))) from error
    if not described.columns.created:
        raise _wrong("expected at least one heading", "columns.created")
    if not (described.columns.process_number or described.columns.transaction_number):
        raise _wrong("expected a heading: processes are compared by their numbers", "columns.process_number")
    for table, words in (("columns", described.columns), ("statuses", described.statuses)):
        if twice := _twice(asdict(words).values()):
            raise _wrong(f"expected each word to have one meaning, but {twice!r} has two", table)
    if described.timezone is not None and not _is_zone(described.timezone):
        raise _wrong("expected a time zone such as Asia/Jerusalem", "timezone")
    return described


def _twice(words: Iterable[tuple[str, ...]]) -> str | None:
    counts = Counter(word for each in words for word in {plain(word).casefold() for word in each})
    return next((word for word, count in counts.items() if count > 1), None)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _wrong(expected: str, where: str = "") -> Refused:
    return Refused("BAD_LIST_COLUMNS", expected, where=where)
