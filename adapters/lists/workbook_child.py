"""Prints the rows of a workbook or CSV as lines of JSON, as a process of its own, under limits of memory and time.

A workbook of a few kilobytes may name a cell in its last row and last column. The parser then asks for memory for all
cells in between, and its process is aborted if there is not so much.

A row of CSV that is not closed is printed without cells, and ends it: a few MB of commas are millions of cells.

Exit status: 0, or a status of `list_files.py` that says what is wrong. Nothing is written to standard error, where the
parser could repeat a cell.
"""

import csv
import os
import resource
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError, SheetTypeEnum

ENCRYPTED, DAMAGED, TOO_LARGE, TOO_WIDE = 3, 4, 5, 6
MOST_CELLS = 16_384  # of a row, as spreadsheets have them
_MOST_MEMORY_BYTES, _MOST_CPU_S = 2 << 30, 120
_MOST_MERGED = 100_000
_Merged = tuple[tuple[int, int], tuple[int, int]]


def main(path: str, codec: str = "", delimiter: str = "") -> int:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY_BYTES, _MOST_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_CPU_S, _MOST_CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    try:
        if codec:
            return _print_csv(path, codec, delimiter)
        _print_rows(path)
    except PasswordError:
        return ENCRYPTED
    except MemoryError:
        return TOO_LARGE
    except CalamineError:
        return DAMAGED
    return 0


def _print_rows(path: str) -> None:
    workbook = CalamineWorkbook.from_path(path)
    out = sys.stdout.buffer
    for number, sheet in enumerate(workbook.sheets_metadata):
        if sheet.typ is SheetTypeEnum.WorkSheet:
            for row, cells in _rows(workbook.get_sheet_by_index(number)):
                out.write(
                    orjson.dumps([number, row, cells], default=str, option=orjson.OPT_PASSTHROUGH_DATETIME) + b"\n"
                )
    out.flush()


def _print_csv(path: str, codec: str, delimiter: str) -> int:
    out = sys.stdout.buffer
    with open(path, encoding=codec, newline="") as file:  # noqa: PTH123 -- `Path` costs its import
        for number, cells in rows_of_text(file, delimiter):
            if cells and len(cells) > MOST_CELLS:
                return TOO_WIDE
            out.write(orjson.dumps([0, number, cells]) + b"\n")
    out.flush()
    return 0


def rows_of_text(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str] | None]]:
    """Yield number and cells of each row of CSV, and no cells for a row whose quotes are not closed, which is last."""
    rows, number = csv.reader(lines, delimiter=delimiter, strict=True), 1
    try:
        for cells in rows:
            yield number, cells
            number = rows.line_num + 1
    except csv.Error:
        yield number, None


def _rows(sheet: CalamineSheet) -> Iterator[tuple[int, list[Any]]]:
    """Yield number and cells of each row that is not empty. A value of merged cells counts for each row of them."""
    starts: dict[int, list[_Merged]] = {}
    for merged in (sheet.merged_cell_ranges or [])[:_MOST_MERGED]:
        starts.setdefault(merged[0][0], []).append(merged)
    lasting: dict[int, tuple[int, Any]] = {}
    left = sheet.start[1] if sheet.start else 0  # the parser's rows begin at the first row, its cells do not
    for index, cells in enumerate(sheet.iter_rows()):
        if any(cell != "" for cell in cells):
            for column, (until, value) in list(lasting.items()):
                if index > until:
                    del lasting[column]
                elif cells[column] == "":
                    cells[column] = value
            yield index + 1, [_tagged(cell) for cell in cells]
        for (_, column), (until, _) in starts.get(index, ()):
            if until > index and 0 <= column - left < len(cells):
                lasting[column - left] = (until, cells[column - left])


def _tagged(cell: Any) -> Any:
    return cell if isinstance(cell, str | int | float) else [cell.isoformat()] if hasattr(cell, "isoformat") else None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
