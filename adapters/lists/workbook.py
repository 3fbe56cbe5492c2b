"""Reads the rows of a workbook: xlsx, xlsb, xls or ods. The parser is a process of its own; see `workbook_child.py`."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile, ZipFile

import orjson

from adapters.lists.workbook_child import DAMAGED, ENCRYPTED, TOO_LARGE
from models.completeness.listed import Cell, SheetRow
from models.errors import Code, Refused

ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MOST_UNPACKED_BYTES = 512 << 20
_MOST_PARTS = 10_000
_SAVE_AGAIN = "open it in a spreadsheet and save it as CSV"
_REFUSALS: Mapping[int, tuple[Code, str]] = {
    ENCRYPTED: ("LIST_ENCRYPTED", "the file has a password; save it without a password"),
    DAMAGED: ("LIST_DAMAGED", "the file is damaged or no workbook; export it again"),
    TOO_LARGE: ("LIST_TOO_LARGE", f"the file needs more than 2 GiB or 120 s to be read; {_SAVE_AGAIN}"),
}


def rows_of_workbook(path: Path) -> Iterator[SheetRow]:
    """Yield the rows of all sheets that are not empty, in their order.

    A formula has the value that it had when the file was saved.

    Raises:
        Refused: the file is encrypted, damaged, or too large when unpacked. Also after some rows.
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
def _parsing(path: Path) -> Iterator[IO[bytes]]:
    """Yield the output of the parser. It ends with the block, which may end before the last row.

    Raises:
        Refused: the parser has failed.
    """
    command = [sys.executable, "-P", "-m", "adapters.lists.workbook_child", str(path)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as parser:  # noqa: S603 -- no shell
        try:
            yield _stdout(parser)
        except BaseException:  # also where the caller stops before the last row
            parser.kill()
            raise
        status = parser.wait()
    if status:
        # Rust aborts for lack of memory, and the kernel kills after the limit of time.
        raise _refused(status if status in _REFUSALS else TOO_LARGE if status < 0 else DAMAGED)


def _stdout(parser: "subprocess.Popen[bytes]") -> IO[bytes]:
    if parser.stdout is None:
        raise RuntimeError("the parser has a pipe")
    return parser.stdout


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
