"""Reads the rows of a list that people export: a workbook or CSV, told apart by content and never by name."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from adapters.lists.csv_rows import rows_of_csv, text_of
from adapters.lists.workbook import OLE, ZIP, rows_of_workbook
from models.completeness.list_format import ListFormat
from models.completeness.listed import SheetRow
from models.errors import Refused

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
    text, encoding = text_of(path.read_bytes(), form.encoding)
    return ListRows(f"csv in {encoding}", rows_of_csv(text, form.delimiter))
