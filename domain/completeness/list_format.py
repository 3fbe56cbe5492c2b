"""Reads the file that describes the format of Cellosign's list of processes."""

from dataclasses import asdict

from pydantic import TypeAdapter

from domain.completeness.list_cells import plain
from domain.settlements.report_format import read_described, word_of_two
from models.completeness.list_format import ListFormat
from models.errors import Code, Refused
from models.sources.source import is_zone

_CODE: Code = "BAD_LIST_COLUMNS"
_FORMAT = TypeAdapter(ListFormat)


def read_list_format(text: str) -> ListFormat:
    """Return the format that a TOML text describes. What it leaves out has Cellosign's own headings and words.

    Raises:
        Refused: the text is not TOML, has an unknown name, or contradicts itself.

    Source: docs/reconcile.md.
    """
    described = read_described(_FORMAT, text, _CODE)
    if not described.columns.created:
        raise _wrong("expected at least one heading", "columns.created")
    if not (described.columns.process_number or described.columns.transaction_number):
        raise _wrong("expected a heading: processes are compared by their numbers", "columns.process_number")
    for table, words in (("columns", described.columns), ("statuses", described.statuses)):
        if twice := word_of_two([plain(word).casefold() for word in each] for each in asdict(words).values()):
            raise _wrong(f"expected each word to have one meaning, but {twice!r} has two", table)
    if described.timezone is not None and not is_zone(described.timezone):
        raise _wrong("expected a time zone such as Asia/Jerusalem", "timezone")
    return described


def _wrong(expected: str, where: str = "") -> Refused:
    return Refused(_CODE, expected, where=where)
