"""Reads the rows of Cellosign's list of processes: the file that describes its format, and its cells.

Numbers and times are read as spreadsheets and people write them.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from datetime import date, datetime, time, timedelta

from pydantic import TypeAdapter

from domain.settlements.report import read_described, word_of_two
from models.completeness.list_format import ListColumns, ListFormat
from models.completeness.listed import Cell, ListedProcess, ListedTime, ProcessList, SheetRow, Standing, UnreadRow
from models.errors import Code, Refused
from models.runs.receipt import DEFAULT_SOURCE
from models.sources import is_zone

# Direction marks of Hebrew text, and the byte order mark.
_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))
_NUMBER = re.compile(r"#?\s*(\d{1,19}|\d{1,3}(?:[, '’]\d{3}){1,6})(?:\.0+)?", re.ASCII)
_MOST_NUMBER = (1 << 63) - 1
_EXACT_FLOAT = 1 << 53
_CLOCK = (
    r"(?:,?\s+(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.\d{1,9})?)?(?:\s*(?P<half>[ap])\.?m\.?)?)?"
)
_BY_NUMBERS = re.compile(rf"(?P<a>\d{{1,2}})([./-])(?P<b>\d{{1,2}})\2(?P<year>\d{{4}}|\d\d){_CLOCK}", re.ASCII | re.I)
_YEAR_FIRST = re.compile(rf"(?P<year>\d{{4}})([./])(?P<month>\d{{1,2}})\2(?P<day>\d{{1,2}}){_CLOCK}", re.ASCII | re.I)
_NAME = r"(?P<name>[a-z]{3})[a-z]*\.?"
_DAY_NAME = re.compile(rf"(?P<day>\d{{1,2}})[ -]{_NAME}[ -](?P<year>\d{{4}}){_CLOCK}", re.ASCII | re.I)
_NAME_DAY = re.compile(rf"{_NAME} (?P<day>\d{{1,2}}),? (?P<year>\d{{4}}){_CLOCK}", re.ASCII | re.I)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SERIAL_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 -- a spreadsheet's days have no zone
_FIRST_SERIAL, _LAST_SERIAL = 36526, 73415
_FIRST_YEAR, _LAST_YEAR = 2000, 2100
"""A time outside these years is a typing error, or a number that is no time."""


def plain(text: str) -> str:
    """Return a text without invisible marks and with single blanks. `="0123"` is a spreadsheet's way to write text."""
    found = " ".join(text.translate(_INVISIBLE).split()) if not text.isascii() else " ".join(text.split())
    found = found[2:-1].strip() if found.startswith('="') and found.endswith('"') else found
    return found.removeprefix("'")


def is_blank(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, str) and not plain(cell))


def number_of(cell: Cell) -> int | None:
    """Return a positive whole number of at most 64 bits, or None: `100`, `100.0`, `"1,001"`, `"#100"`."""
    if isinstance(cell, bool) or not isinstance(cell, int | float | str):
        return None
    if isinstance(cell, float):
        return int(cell) if cell.is_integer() and 0 <= cell < _EXACT_FLOAT else None
    if isinstance(cell, int):
        return cell if 0 <= cell <= _MOST_NUMBER else None
    found = _NUMBER.fullmatch(plain(cell))
    number = int(re.sub(r"\D", "", found[1])) if found else _MOST_NUMBER + 1
    return number if number <= _MOST_NUMBER else None


def time_of(cell: Cell, *, day_first: bool) -> ListedTime | None:
    """Return a time, or None. A number is a spreadsheet's count of days.

    Args:
        day_first: whether 03/04/2026 is the third of April.
    """
    found = _time_of(cell, day_first=day_first)
    return found if found and _FIRST_YEAR <= found.stated.year <= _LAST_YEAR else None


def _time_of(cell: Cell, *, day_first: bool) -> ListedTime | None:
    match cell:
        case bool() | None:
            return None
        case datetime():
            return ListedTime(cell)
        case date():
            return ListedTime(datetime.combine(cell, time()), is_day=True)
        case int() | float():
            if not _FIRST_SERIAL <= cell <= _LAST_SERIAL:
                return None
            seconds = round(cell * 86400)
            return ListedTime(_SERIAL_ZERO + timedelta(seconds=seconds), is_day=isinstance(cell, int))
        case str():
            return _written(plain(cell), day_first=day_first)


def _written(text: str, *, day_first: bool) -> ListedTime | None:
    try:
        return ListedTime(datetime.fromisoformat(text), is_day=len(text) == len("2026-01-01"))
    except ValueError:
        pass
    for form in (_BY_NUMBERS, _YEAR_FIRST, _DAY_NAME, _NAME_DAY):
        if found := form.fullmatch(text):
            try:
                return _composed(found.groupdict(), day_first=day_first)
            except ValueError:
                return None
    serial = re.fullmatch(r"\d{5}(\.\d+)?", text, re.ASCII)
    return _time_of(float(text) if serial[1] else int(text), day_first=day_first) if serial else None


def _composed(parts: dict[str, str | None], *, day_first: bool) -> ListedTime:
    """Return the time of the parts of a text. Raises ValueError if there is no such day or hour."""
    first, second = parts.get("a"), parts.get("b")
    day, month = (first, second) if day_first else (second, first)
    day, month = parts.get("day") or day, parts.get("month") or month
    if name := parts.get("name"):
        month = str(_MONTHS.index(name.lower()) + 1)
    year = int(parts["year"] or 0)
    hour = int(parts["hour"] or 0)
    if parts["half"]:
        if not 1 <= hour <= 12:
            raise ValueError
        hour = hour % 12 + (12 if parts["half"].lower() == "p" else 0)
    clock = (hour, int(parts["minute"] or 0), int(parts["second"] or 0))
    full_year = year if year > 99 else 2000 + year
    stated = datetime(full_year, int(month or 0), int(day or 0), *clock)  # noqa: DTZ001 -- the list states no zone
    return ListedTime(stated, is_day=parts["hour"] is None)


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

        Raises Refused if a heading stands there twice.
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
