"""Writes `docs/processes.xlsx` and `docs/processes.csv`: a list of processes as Cellosign exports it."""

import csv
from datetime import datetime
from pathlib import Path

from openpyxl import Workbook

_HEADS = ("#", "Created", "Project", "Destination", "Status")
_ROWS = (
    (1, "2026-01-01 09:58", "Loans", "dana@example.com", "Completed"),
    (2, "2026-01-01 10:12", "Loans", "noa@example.com", "Completed"),
    (3, "2026-01-01 10:40", "Loans", "+972-50-0000000", "Expired"),
    (4, "2026-01-01 11:05", "Loans", "tal@example.com", "In progress"),
)


def write(folder: Path) -> None:
    book = Workbook()
    sheet = book.active
    sheet.append(("Processes",))
    sheet.merge_cells("A1:E1")
    sheet.append(_HEADS)
    for number, created, *others in _ROWS:
        sheet.append((number, datetime.fromisoformat(created), *others))
        sheet.cell(sheet.max_row, 2).number_format = "dd/mm/yyyy hh:mm"
    book.save(folder / "processes.xlsx")
    with (folder / "processes.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_HEADS)
        for number, created, *others in _ROWS:
            writer.writerow((number, f"{datetime.fromisoformat(created):%d/%m/%Y %H:%M}", *others))


if __name__ == "__main__":
    write(Path(__file__).parent)
