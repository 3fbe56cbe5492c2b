"""Reads cells of a list: numbers and times as spreadsheets and people write them."""

import re
from datetime import date, datetime, time, timedelta

from models.completeness.listed import Cell, ListedTime

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
    """Return the time of the parts of a text.

    Raises:
        ValueError: there is no such day or hour.
    """
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
