"""Reads the values of form fields as typed values, and decides the type of a column. Pure.

A type is *wider* than another if it takes all that the other takes, and text takes everything. A column has the
narrowest of the types that take the most of its values, and all but one in a hundred. The rest is *unfit*, so that one
slip of a pen changes no column for good.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias

from domain.personal import CHOSEN_TYPES
from models.tables import ColumnType

Typed: TypeAlias = str | int | Decimal | date | bool | None
_UNSEEN = re.compile("[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\ufeff]")
_SHEKELS = '(?:₪|ש["״]ח)'
_NUMBER = re.compile(
    rf"(?:{_SHEKELS} ?)?(-?(?:0|[1-9][0-9]{{0,2}}(?:,[0-9]{{3}})+|[1-9][0-9]*)(\.[0-9]+)?)(?: ?{_SHEKELS})?"
)
_DAY_FIRST = re.compile(r"([0-9]{1,2})([./-])([0-9]{1,2})\2([0-9]{4})")
_ID = re.compile(r"0[0-9]{4,30}$")
_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_IN_WORDS = re.compile(r"([0-9]{1,2}) (?:ב[-־ ]?)?([א-ת]+|[A-Za-z]+),? ([0-9]{4})")
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            *("ינואר january jan", "פברואר february feb", "מרץ מרס march mar", "אפריל april apr", "מאי may"),
            *("יוני june jun", "יולי july jul", "אוגוסט august aug", "ספטמבר september sep sept"),
            *("אוקטובר october oct", "נובמבר november nov", "דצמבר december dec"),
        ),
        1,
    )
    for name in names.split()
}
_FLAGS = dict.fromkeys(("true", "yes", "on", "כן"), True) | dict.fromkeys(("false", "no", "off", "לא"), False)
_MOST_INTEGER, MOST_DIGITS, SCALE = (1 << 63) - 1, 38, 18
"""A decimal has 38 digits, 18 of them behind the point."""
_LEAST_YEAR, _LONGEST = 1000, 60
"""No longer text is a number, a flag or a day."""
_SCALARS = (ColumnType.BOOLEAN, ColumnType.INTEGER, ColumnType.DECIMAL, ColumnType.DATE)
MOST_CHOICES, _STRAYS = 20, 100


class UnfitError(ValueError):
    """A value does not fit the type of its column. The text is empty, since the value is people's data."""


def text_of(value: Any) -> str:
    """Return a JSON value as text: a text as sent, anything else as JSON."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False, default=str)


def plain_text(value: Any) -> str:
    """Return a value of a column as text: equal values as equal texts. A decimal has no zeros at its end, and all other
    digits, which arithmetic would round.
    """
    if isinstance(value, Decimal):
        digits = f"{value:f}"
        return (digits.rstrip("0").rstrip(".") if "." in digits else digits) if value else "0"
    return value.isoformat() if isinstance(value, date) else text_of(value)


def narrowest(value: Any) -> tuple[ColumnType | None, Typed]:
    """Return the narrowest type of a JSON value, and the value as that type; no type of what is blank.

    A text that begins with zeros is no number, and a date with two digits for its year is none: nobody knows its
    century. A number of shekels is a number. A day comes before its month.
    """
    if isinstance(value, list | dict):
        return (ColumnType.TEXT, text_of(value)) if value else (None, None)
    if isinstance(value, str) and len(value) > _LONGEST:  # which would fill the memory
        return (None, None) if value.isspace() else (ColumnType.TEXT, value)
    return _narrowest(value)


@lru_cache(1 << 15, typed=True)
def _narrowest(value: Any) -> tuple[ColumnType | None, Typed]:
    if isinstance(value, str):
        return _of_text(value)
    if value is None or isinstance(value, bool):
        return (None if value is None else ColumnType.BOOLEAN), value
    if isinstance(value, int) and abs(value) <= _MOST_INTEGER:
        return ColumnType.INTEGER, value
    number = _decimal(str(value))
    return (ColumnType.TEXT, text_of(value)) if number is None else (ColumnType.DECIMAL, number)


def _of_text(text: str) -> tuple[ColumnType | None, Typed]:
    plain = " ".join((text if text.isascii() else _UNSEEN.sub("", text)).split())
    if not plain:
        return None, None
    if (flag := _FLAGS.get(plain.lower())) is not None:
        return ColumnType.BOOLEAN, flag
    found = _NUMBER.fullmatch(plain) if plain[0] in "-0123456789₪ש" else None
    if found is not None:
        digits = found[1].replace(",", "")
        if found[2] is None and abs(whole := int(digits)) <= _MOST_INTEGER:
            return ColumnType.INTEGER, whole
        number = _decimal(digits)
        return (ColumnType.TEXT, text) if number is None else (ColumnType.DECIMAL, number)
    day = _day(plain)
    return (ColumnType.TEXT, text) if day is None else (ColumnType.DATE, day)


def _decimal(value: str) -> Decimal | None:
    number = Decimal(value)
    if not number.is_finite():
        return None
    _, digits, exponent = number.as_tuple()
    fits = -int(exponent) <= SCALE and len(digits) + int(exponent) <= MOST_DIGITS - SCALE
    return number if fits else None


def _day(text: str) -> date | None:
    if not text[0].isdigit():
        return None
    if found := _ISO.fullmatch(text):
        year, month, day = found.groups()
    elif found := _DAY_FIRST.fullmatch(text):
        day, _, month, year = found.groups()
    elif found := _IN_WORDS.fullmatch(text):
        day, word, year = found.groups()
        month = str(_MONTHS.get(word.lower(), 0))
    else:
        return None
    try:
        return date(int(year), int(month), int(day)) if int(year) >= _LEAST_YEAR else None
    except ValueError:
        return None


def typed(value: Any, type_: ColumnType | None) -> Typed:
    """Return a JSON value as a column of a type has it; None for what is blank, which alone fits no type.

    Raises UnfitError if it does not fit.
    """
    if type_ is ColumnType.TEXT or type_ is ColumnType.CHOICE:
        return value if value is None or value.__class__ is str else text_of(value)
    found, as_found = narrowest(value)
    if found is None or found is type_:
        return as_found
    if found is ColumnType.INTEGER and type_ is ColumnType.DECIMAL:
        return Decimal(str(as_found))
    raise UnfitError


def takes(wide: ColumnType, narrow: ColumnType) -> bool:
    """Return whether a type takes all values of another."""
    if wide is narrow or wide is ColumnType.TEXT:
        return True
    return (wide, narrow) == (ColumnType.DECIMAL, ColumnType.INTEGER)


def wider(one: ColumnType | None, other: ColumnType | None) -> ColumnType | None:
    """Return the narrowest type that takes all values of both; None is the type of no value."""
    if one is None or other is None:
        return one or other
    return next(each for each in (one, other, ColumnType.TEXT) if takes(each, one) and takes(each, other))


@dataclass(slots=True)
class Seen:
    """What was seen of the values of a field: how many of each type, and the first different ones."""

    types: Counter[ColumnType] = field(default_factory=Counter)
    texts: set[str] = field(default_factory=set)
    is_chosen: bool = False
    is_of_ids: bool = False
    is_location: bool = False
    is_personal: bool | None = None
    """Whether a value is personal where nobody says; None if no value was looked at."""

    def add(self, declared: str | None, values: Iterable[Any]) -> None:
        """Add values of the field, the last of which the payload declares as a type."""
        self.is_chosen = self.is_chosen or (declared or "").lower() in CHOSEN_TYPES
        for value in values:
            found, _ = narrowest(value)
            if found is not None:
                self.types[found] += 1
                if value.__class__ is str and value[:1] == "0" and _ID.match(value):
                    self.is_of_ids = True
                if len(self.texts) <= MOST_CHOICES:
                    self.texts.add(text_of(value)[:100])

    @property
    def type(self) -> ColumnType | None:
        """The type of a column with these values. Few texts are choices, if declared so or each occurs four times."""
        total = self.types.total()
        if not total:
            return None
        taken = {each: sum(count for its, count in self.types.items() if takes(each, its)) for each in _SCALARS}
        if self.is_of_ids:  # which begin with a zero now and then, and are null as numbers
            taken |= dict.fromkeys((ColumnType.INTEGER, ColumnType.DECIMAL), 0)
        best = max(_SCALARS, key=lambda each: taken[each])  # the narrowest of those that take the most
        if (total - taken[best]) * _STRAYS <= total:
            return best
        few = len(self.texts) <= MOST_CHOICES
        is_choice = few and (self.is_chosen or total >= 4 * len(self.texts))
        return ColumnType.CHOICE if is_choice else ColumnType.TEXT
