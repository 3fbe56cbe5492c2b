"""Reads the rows of Cellosign's list of processes."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import fields

from domain.completeness.list_cells import is_blank, number_of, plain, time_of
from models.completeness.list_format import ListColumns, ListFormat
from models.completeness.listed import Cell, ListedProcess, ListedTime, ProcessList, SheetRow, Standing, UnreadRow
from models.errors import Refused
from models.runs.receipt import DEFAULT_SOURCE

HEAD_WITHIN_ROWS = 50
MOST_UNREAD = 1000
"""Cells that cannot be read and are named. Further ones are counted."""


def read_list(rows: Iterable[SheetRow], form: ListFormat, source: str | None = None) -> ProcessList:
    """Return the processes of a list. The first sheet counts that has the headings.

    Rows that are blank, or that repeat the headings, are skipped. A row with a cell that cannot be read is left out and
    named; only a status may be unreadable.

    Args:
        source: the wanted source. Rows of other sources are left out, which only a list with projects can tell.

    Raises:
        Refused: no sheet has the headings, or a heading stands there twice.
    """
    heads = _Heads(form.columns)
    reader: _Reader | None = None
    for row in rows:
        if reader is None:
            places = heads.places(row)
            reader = _Reader(form, source, row.sheet, places) if places else None
        elif row.sheet != reader.sheet:
            break
        else:
            reader.take(row)
    if reader is None:
        raise heads.missing()
    return ProcessList(reader.processes, reader.unread, reader.unread_count, reader.left_out)


class _Heads:
    """The search for the row of headings, in the first rows of each sheet."""

    def __init__(self, columns: ListColumns) -> None:
        self._columns = {each.name: getattr(columns, each.name) for each in fields(columns)}
        self._seen: Counter[int] = Counter()

    def places(self, row: SheetRow) -> dict[str, tuple[int, str]] | None:
        """Return place and heading of each column, None if the row has not the headings.

        Raises:
            Refused: a heading stands there twice.
        """
        self._seen[row.sheet] += 1
        if self._seen[row.sheet] > HEAD_WITHIN_ROWS:
            return None
        here = [plain(cell).casefold() if isinstance(cell, str) else "" for cell in row.cells]
        found = {}
        for name, heads in self._columns.items():
            head = next((each for each in heads if plain(each).casefold() in here), None)
            if head is not None:
                found[name] = (here.index(plain(head).casefold()), head)
        if "process_number" not in found and "transaction_number" not in found:
            return None
        if "created" not in found:
            return None
        for _, head in found.values():
            if here.count(plain(head).casefold()) > 1:
                raise Refused("AMBIGUOUS_COLUMN", "expected one such column", where=f"row {row.number}, column {head}")
        return found

    def missing(self) -> Refused:
        number, created = (", ".join(self._columns[name]) for name in ("process_number", "created"))
        return Refused(
            "MISSING_COLUMN",
            f"expected a row with one of the headings {number}; and with one of {created}; within the first "
            f"{HEAD_WITHIN_ROWS} rows of a sheet. Name others by CELLAR_LIST_COLUMNS; see docs/reconcile.md",
        )


class _Reader:
    """The rows below the headings of a sheet."""

    def __init__(self, form: ListFormat, source: str | None, sheet: int, places: Mapping[str, tuple[int, str]]) -> None:
        self.sheet = sheet
        self.processes: list[ListedProcess] = []
        self.unread: list[UnreadRow] = []
        self.unread_count = self.left_out = 0
        self._form, self._source, self._places = form, source, places
        self._projects = {plain(name).casefold(): source for name, source in form.projects.items()}
        self._standings = {
            plain(word).casefold(): Standing(name)
            for name in ("succeeded", "failed", "open")
            for word in getattr(form.statuses, name)
        }

    def take(self, row: SheetRow) -> None:
        if all(is_blank(self._cell(row, name)) for name in self._places) or self._repeats_heads(row):
            return
        source = self._source_of(row)
        if self._source is not None and source != self._source:
            self.left_out += 1
            return
        before = self.unread_count
        process, transaction = self._number(row, "process_number"), self._number(row, "transaction_number")
        created = self._time(row, "created")
        ended, standing = self._time(row, "ended"), self._standing(row)
        if self.unread_count > before:
            return
        if process is None and transaction is None:
            name = "process_number" if "process_number" in self._places else "transaction_number"
            self._unread(row, name, "NO_NUMBER", "expected a number; the cell is blank")
        elif created is None:
            self._unread(row, "created", "NO_TIME", "expected a time; the cell is blank")
        else:
            self.processes.append(ListedProcess(row.number, process, transaction, created, ended, standing, source))
            if standing is Standing.UNKNOWN and not is_blank(self._cell(row, "status")):
                self._unread(row, "status", "UNKNOWN_STATUS", "expected a word of `statuses`; the row counts as ended")

    def _cell(self, row: SheetRow, name: str) -> Cell:
        place = self._places[name][0] if name in self._places else len(row.cells)
        return row.cells[place] if place < len(row.cells) else None

    def _repeats_heads(self, row: SheetRow) -> bool:
        cells = [(self._cell(row, name), head) for name, (_, head) in self._places.items()]
        return all(isinstance(cell, str) and plain(cell).casefold() == plain(head).casefold() for cell, head in cells)

    def _source_of(self, row: SheetRow) -> str | None:
        if not self._projects:
            return self._source
        project = self._cell(row, "project")
        name = plain(project).casefold() if isinstance(project, str) else ""
        return self._projects.get(name, DEFAULT_SOURCE)

    def _number(self, row: SheetRow, name: str) -> int | None:
        cell = self._cell(row, name)
        number = number_of(cell)
        if number is None and not is_blank(cell):
            self._unread(row, name, "BAD_NUMBER", "expected a whole number of at most 64 bits, such as 1001 or 1,001")
        return number

    def _time(self, row: SheetRow, name: str) -> ListedTime | None:
        cell = self._cell(row, name)
        time = time_of(cell, day_first=self._form.day_first)
        if time is None and not is_blank(cell):
            order = "day before month" if self._form.day_first else "month before day"
            self._unread(row, name, "BAD_TIME", f"expected a time from 2000 to 2100, ISO 8601 or with {order}")
        return time

    def _standing(self, row: SheetRow) -> Standing:
        cell = self._cell(row, "status")
        return (
            self._standings.get(plain(cell).casefold(), Standing.UNKNOWN) if isinstance(cell, str) else Standing.UNKNOWN
        )

    def _unread(self, row: SheetRow, name: str, code: str, detail: str) -> None:
        self.unread_count += 1
        if len(self.unread) < MOST_UNREAD:
            self.unread.append(UnreadRow(row.number, self._places[name][1], code, detail))
