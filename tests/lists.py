"""Makes lists of processes as Cellosign exports them, and the terms to compare them on."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from domain.completeness.listed import ListTerms
from models.completeness.listed import ArchivedProcess, ListedProcess, ListedTime, SheetRow, Standing
from models.sources import SourceTerms

HEADS = ("#", "Created", "Project", "Destination")
DESTINATION = "dana.levi@example.com"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TERMS = SourceTerms("UTC", "minor")
LIST_TERMS = ListTerms(NOW, lambda _: TERMS)


def workbook(path: Path, rows: Iterable[Sequence[object]], merged: Iterable[str] = ()) -> Path:
    """Write rows to the first sheet of a workbook. Cells of merged ranges but the first lose their values."""
    book = Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(list(row))
    for cells in merged:
        sheet.merge_cells(cells)
    book.save(path)
    return path


def sheet_rows(*rows: Sequence[Any], sheet: int = 0) -> list[SheetRow]:
    return [SheetRow(sheet, number, list(cells)) for number, cells in enumerate(rows, 1)]


def local(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    """Return a time without a zone, as lists state it."""
    return datetime(year, month, day, hour, minute)  # noqa: DTZ001


def at(hours: float, *, zone: Any = None) -> ListedTime:
    """Return a time of the list, `hours` before noon of the day on which it is compared."""
    return ListedTime((NOW - timedelta(hours=hours)).replace(tzinfo=zone))


def row(number: int, process: int | None = 100, transaction: int | None = None, **changed: Any) -> ListedProcess:
    made = ListedProcess(number, process, transaction, at(24), standing=Standing.SUCCEEDED)
    return replace(made, **changed)


def archive(
    reference: str = "r", process: int | None = 100, transaction: int | None = None, **changed: Any
) -> ArchivedProcess:
    created_at = NOW - timedelta(hours=24)
    made = ArchivedProcess(reference, "default", process, transaction, created_at, created_at + timedelta(hours=1))
    return replace(made, **changed)
