"""Reads the rows of a list that people export: CSV, xlsx, xlsb, xls or ods, told apart by content and never by name.

The parser is a process of its own; see `workbook_child.py`.
"""

import csv
import io
import os
import re
import subprocess
import sys
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, iterdecode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, BinaryIO, cast
from zipfile import BadZipFile, ZipFile

import orjson

from adapters.lists.workbook_child import DAMAGED, ENCRYPTED, MOST_CELLS, TOO_LARGE, TOO_WIDE
from adapters.platform.durable import write_whole
from models.completeness.list_format import ListFormat
from models.completeness.listed import Cell, SheetRow
from models.errors import Code, Refused

_DELIMITERS = ",;\t|"
_SNIFFED_CHARACTERS = 64 << 10
_PIECE_BYTES = 64 << 10
CODECS = {"utf-8": "utf-8-sig", "utf-16": "utf-16", "windows-1255": "cp1255"}

_SIGNS = r"=+@\-\uff1d\uff0b\uff0d\uff20\ufe62\ufe63\ufe66\ufe6b\u2212"  # wide, small and typographic ones too
_UNSEEN = r"\s\x22\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
_BEGINNING = re.compile(rf"(^|[;|\t\r\n])([{_UNSEEN}]*+)([{_SIGNS}])?")
"""The beginning of a cell, and what would begin one in a spreadsheet whose separator is not the comma."""


def encoding_of(file: BinaryIO, encoding: str | None) -> str | None:
    """Return the encoding of a text: the given one, or UTF-16 by its mark, UTF-8, else windows-1255.

    None if the file is no text in that encoding. It is read in pieces.
    """
    begin = file.read(2)
    for name in _wanted(encoding, begin):
        file.seek(0)
        with suppress(UnicodeError):
            if not any("\0" in part for part in iterdecode(iter(lambda: file.read(_PIECE_BYTES), b""), CODECS[name])):
                return name
    return None


def _wanted(encoding: str | None, begin: bytes = b"") -> list[str]:
    if encoding:
        return [encoding]
    return ["utf-16"] if begin in (BOM_UTF16_LE, BOM_UTF16_BE) else ["utf-8", "windows-1255"]


def rows_of_csv(
    path: Path, encoding: str, delimiter: str, *, what: str = "row", stdin: int = subprocess.DEVNULL
) -> Iterator[SheetRow]:
    """Yield the rows of a text. A cell with line breaks spans several lines; a row has the number of its first.

    Args:
        what: what the place of an error is called.
        stdin: the descriptor that the parser has as `/dev/stdin`.

    Raises:
        Refused: a quoted cell is not closed, or longer than 128 KiB; or a row has more than 16,384 cells.
    """
    with _parsing(path, CODECS[encoding], delimiter, stdin=stdin) as lines:
        for line in lines:
            _, number, cells = orjson.loads(line)
            if cells is None:
                raise Refused("BAD_CSV", "expected quoted cells to be closed", where=f"{what} {number}")
            yield SheetRow(0, number, cells)


def rows_in_memory(data: bytes, encoding: str, delimiter: str | None) -> Iterator[SheetRow]:
    """Yield the rows of a text that is on no disk, as `rows_of_csv` does. None: the delimiter that it shows."""
    delimiter = delimiter or delimiter_of(_begin_of(io.BytesIO(data), encoding))
    with open(os.memfd_create("csv"), "w+b", buffering=0) as file:  # noqa: PTH123 -- a descriptor
        write_whole(file.fileno(), data)
        yield from rows_of_csv(Path("/dev/stdin"), encoding, delimiter, what="line", stdin=file.fileno())


def delimiter_of(text: str) -> str:
    """Return the delimiter that cuts the most lines of a beginning into equally many cells, two at least."""
    begin = text.rpartition("\n")[0] or text
    return max(_DELIMITERS, key=lambda each: _cut(begin, each))


def _cut(text: str, delimiter: str) -> tuple[int, int]:
    """Return how many lines have the most frequent number of cells, and that number."""
    try:
        widths = Counter(len(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error:
        return 0, 0
    return max(((count, width) for width, count in widths.items() if width > 1), default=(0, 0))


def line_of_csv(values: Iterable[object]) -> str:
    """Return a line of CSV. A spreadsheet runs no text of it, whatever its separator is, and adds up its numbers."""
    line = io.StringIO()
    csv.writer(line).writerow(
        each if isinstance(each, int | float | Decimal) else plain_cell("" if each is None else str(each))
        for each in values
    )
    return line.getvalue()


def plain_cell(text: str) -> str:
    """Return a text with an apostrophe before whatever a spreadsheet would run as a formula."""
    return _BEGINNING.sub(_as_text, text)


def _as_text(beginning: re.Match[str]) -> str:
    separator, unseen, sign = beginning.groups()
    is_broken = beginning.start() == 0 and not separator and re.search(r"[\t\r\n]", unseen)
    first, before_sign = "'" if is_broken else "", f"'{sign}" if sign else ""
    return f"{first}{separator}{unseen}{before_sign}"


ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MOST_UNPACKED_BYTES = 512 << 20
_MOST_PARTS = 10_000
_SAVE_AGAIN = "open it in a spreadsheet and save it as CSV"
_REFUSALS: Mapping[int, tuple[Code, str]] = {
    ENCRYPTED: ("LIST_ENCRYPTED", "the file has a password; save it without a password"),
    DAMAGED: ("LIST_DAMAGED", "the file is damaged or no workbook; export it again"),
    TOO_WIDE: ("LIST_TOO_LARGE", f"expected at most {MOST_CELLS:,} cells in a row"),
    TOO_LARGE: ("LIST_TOO_LARGE", f"the file needs more than 2 GiB or 120 s to be read; {_SAVE_AGAIN}"),
}


def rows_of_workbook(path: Path) -> Iterator[SheetRow]:
    """Yield the rows of all sheets that are not empty, in their order.

    A formula has the value that it had when the file was saved.

    Raises Refused if the file is encrypted, damaged, or too large when unpacked. Also after some rows.
    """
    _check(path)
    with _parsing(path) as lines:
        for line in lines:
            sheet, number, cells = orjson.loads(line)
            yield SheetRow(sheet, number, [_cell(each) for each in cells])


def _check(path: Path) -> None:
    """Refuse a file that is small and becomes large when unpacked, before the parser begins."""
    with path.open("rb") as file:
        if file.read(len(ZIP)) != ZIP:
            return
    try:
        with ZipFile(path) as parts:
            sizes = [each.file_size for each in parts.infolist()]
    except (BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise _refused(DAMAGED) from error
    if len(sizes) > _MOST_PARTS or sum(sizes) > _MOST_UNPACKED_BYTES:
        raise Refused(
            "LIST_TOO_LARGE",
            f"expected at most {_MOST_UNPACKED_BYTES >> 20} MiB in {_MOST_PARTS:,} parts when unpacked, "
            f"got {sum(sizes) >> 20:,} MiB in {len(sizes):,}; {_SAVE_AGAIN}",
        )


@contextmanager
def _parsing(path: Path, *form: str, stdin: int = subprocess.DEVNULL) -> Iterator[IO[bytes]]:
    """Yield the output of the parser. It ends with the block, which may end before the last row.

    Raises Refused if the parser has failed.
    """
    command = [sys.executable, "-P", "-m", "adapters.lists.workbook_child", str(path), *form]
    with subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE) as parser:  # noqa: S603 -- no shell
        try:
            yield cast(IO[bytes], parser.stdout)
        except BaseException:  # also where the caller stops before the last row
            parser.kill()
            raise
        status = parser.wait()
    if status:
        # Rust aborts for lack of memory, and the kernel kills after the limit of time.
        raise _refused(status if status in _REFUSALS else TOO_LARGE if status < 0 else DAMAGED)


def _refused(status: int) -> Refused:
    code, detail = _REFUSALS[status]
    return Refused(code, detail)


def _cell(found: Any) -> Cell:
    """Return a cell. The parser's process writes a time as a list, and text without a value as empty text."""
    if not isinstance(found, list):
        return found if found != "" else None
    text: str = found[0]
    if "T" in text:
        return datetime.fromisoformat(text)
    return date.fromisoformat(text) if len(text) == len("2026-01-01") else text


_MOST_BYTES = 128 << 20
_MARKUP = (b"<html", b"<!doctype", b"<table", b"<?xml", b"%pdf", b"{", b"[")


@dataclass(frozen=True, slots=True)
class ListRows:
    """The rows of a file and what it is: `workbook`, or `csv in` an encoding. Rows can be read once."""

    kind: str
    rows: Iterator[SheetRow]


def rows_of_list(path: Path, form: ListFormat) -> ListRows:
    """Return the rows of a file.

    Raises:
        Refused: the file is empty, too large, or neither a workbook nor CSV. `rows` raises it for what is found later.
    """
    size = path.stat().st_size
    if not 0 < size <= _MOST_BYTES:
        raise Refused("BAD_LIST_SIZE", f"expected 1 byte to {_MOST_BYTES >> 20} MiB, got {size:,} bytes")
    with path.open("rb") as file:
        begin = file.read(1024)
    if begin.startswith((ZIP, OLE)):
        return ListRows("workbook", rows_of_workbook(path))
    if begin.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(_MARKUP):
        raise Refused("BAD_LIST_TYPE", "expected a workbook (xlsx, xlsb, xls, ods) or CSV, got HTML, XML, PDF or JSON")
    with path.open("rb") as file:
        encoding = encoding_of(file, form.encoding)
        if encoding is None:
            wanted = " or ".join(_wanted(form.encoding, begin[:2]))
            raise Refused("BAD_LIST_TYPE", f"expected a workbook (xlsx, xlsb, xls, ods) or CSV in {wanted}")
        file.seek(0)
        delimiter = form.delimiter or delimiter_of(_begin_of(file, encoding))
    return ListRows(f"csv in {encoding}", rows_of_csv(path, encoding, delimiter))


def _begin_of(file: BinaryIO, encoding: str) -> str:
    with io.TextIOWrapper(file, CODECS[encoding], newline="") as text:
        return text.read(_SNIFFED_CHARACTERS)
