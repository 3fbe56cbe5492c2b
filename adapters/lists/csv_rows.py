"""Reads the rows of a list in CSV, and writes lines of CSV that no spreadsheet runs."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from models.completeness.listed import SheetRow
from models.errors import Refused

_DELIMITERS = ",;\t|"
_SNIFFED_CHARACTERS = 64 << 10
_CODECS = {"utf-8": "utf-8-sig", "utf-16": "utf-16", "windows-1255": "cp1255"}

_SIGNS = r"=+@\-\uff1d\uff0b\uff0d\uff20\ufe62\ufe63\ufe66\ufe6b\u2212"  # wide, small and typographic ones too
_UNSEEN = r"\s\x22\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
_BEGINNING = re.compile(rf"(^|[;|\t\r\n])([{_UNSEEN}]*+)([{_SIGNS}])?")
"""The beginning of a cell, and what would begin one in a spreadsheet whose separator is not the comma."""


def text_of(data: bytes, encoding: str | None) -> tuple[str, str]:
    """Return the text of a file and the name of its encoding: the given one, or UTF-16 by its mark, UTF-8, else
    windows-1255.

    Raises:
        Refused: the file is no text in that encoding.
    """
    wanted = (
        [encoding] if encoding else ["utf-16"] if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ["utf-8", "windows-1255"]
    )
    for name in wanted:
        try:
            text = data.decode(_CODECS[name])
        except UnicodeError:
            continue
        if "\0" not in text:
            return text, name
    raise Refused("BAD_LIST_TYPE", f"expected a workbook (xlsx, xlsb, xls, ods) or CSV in {' or '.join(wanted)}")


def rows_of_csv(text: str, delimiter: str | None) -> Iterator[SheetRow]:
    """Yield the rows of a text. A cell with line breaks spans several lines; a row has the number of its first.

    Args:
        delimiter: None means the comma, semicolon, tab or bar that `delimiter_of` finds.

    Raises:
        Refused: a quoted cell is not closed, or longer than 128 KiB.
    """
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter or delimiter_of(text), strict=True)
    number = 1
    try:
        for row in rows:
            yield SheetRow(0, number, list(row))
            number = rows.line_num + 1
    except csv.Error as error:
        raise Refused("BAD_CSV", "expected quoted cells to be closed", where=f"row {number}") from error


def delimiter_of(text: str) -> str:
    """Return the delimiter that cuts the most of the first lines into equally many cells, two at least."""
    begin = text[:_SNIFFED_CHARACTERS].rpartition("\n")[0] or text[:_SNIFFED_CHARACTERS]
    return max(_DELIMITERS, key=lambda each: _cut(begin, each))


def _cut(text: str, delimiter: str) -> tuple[int, int]:
    """Return how many lines have the most frequent number of cells, and that number."""
    try:
        widths = Counter(len(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error:
        return 0, 0
    return max(((count, width) for width, count in widths.items() if width > 1), default=(0, 0))


def line_of_csv(values: Iterable[object]) -> str:
    """Return a line of CSV. A spreadsheet takes each cell for text, whatever its separator is."""
    line = io.StringIO()
    csv.writer(line).writerow(plain_cell("" if each is None else str(each)) for each in values)
    return line.getvalue()


def plain_cell(text: str) -> str:
    """Return a text with an apostrophe before whatever a spreadsheet would run as a formula."""
    return _BEGINNING.sub(_as_text, text)


def _as_text(beginning: re.Match[str]) -> str:
    separator, unseen, sign = beginning.groups()
    is_broken = beginning.start() == 0 and not separator and re.search(r"[\t\r\n]", unseen)
    first, before_sign = "'" if is_broken else "", f"'{sign}" if sign else ""
    return f"{first}{separator}{unseen}{before_sign}"
