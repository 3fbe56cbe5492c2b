"""Reads optional members of a JSON document, with a warning for each value that cannot be read.

A form field of the wrong type must never cost the customer the contract. It becomes null, with a warning that names
its place.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import MAXYEAR, MINYEAR, UTC, datetime, tzinfo
from decimal import Decimal
from functools import cache
from typing import Any

from models.archive.archive import ArchiveWarning, WarningCode
from models.said import Sentence

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_CELLOSIGNS_OWN_NAME = re.compile("[a-z][a-z_]{0,39}")
_INT64 = 1 << 63


@dataclass(slots=True)
class Reading:
    """The shared state of one reading: the zone of the document's naive timestamps, and the warnings so far."""

    zone: tzinfo
    warnings: list[ArchiveWarning] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON value with its path. Absent and null members are null without a warning."""

    value: Any
    path: str
    reading: Reading

    def member(self, name: str) -> "Node":
        value = self.value.get(name) if self.is_object() else None
        return Node(value, f"{self.path}.{name}" if self.path else name, self.reading)

    def spelled(self, name: str) -> "Node":
        """Return the member with a name, ignoring case and underscores.

        Cellosign spells a provider's names its own way (`cardMask` as `card_mask`). Among several spellings, a value
        that is not null wins, then this spelling.
        """
        alike = [each for each in self.value if plain_name(each) == plain_name(name)] if self._has_members() else []
        alike.sort(key=lambda each: (self.value[each] is None, each != name))
        return self.member(alike[0] if alike else name)

    def text(self) -> str | None:
        """Return text that can be stored: NUL and lone surrogates, which no database takes, become U+FFFD."""
        if isinstance(self.value, str):
            return self._clean(self.value)
        self.expected(Sentence.json_text)
        return None

    def identifier(self) -> str | None:
        """Return text, or a whole number as text: Cellosign sends a recipient's id as a number, a signer's as text."""
        if isinstance(self.value, int) and not isinstance(self.value, bool) and abs(self.value) < _INT64:
            return str(self.value)
        return self.text()

    def integer(self) -> int | None:
        """Return a whole number of at most 64 bits. Text of digits counts as a number."""
        number = decimal_from(self.value)
        if number is not None and number == number.to_integral_value() and abs(number) < _INT64:
            return int(number)
        self.expected(Sentence.json_whole_number)
        return None

    def number(self) -> Decimal | None:
        """Return the exact number as sent. Text that spells a number counts."""
        number = decimal_from(self.value)
        if number is None and self.value != "":
            self.expected(Sentence.json_number)
        return number

    def real(self) -> float | None:
        number = self.number()
        return None if number is None else float(number)

    def flag(self) -> bool | None:
        if isinstance(self.value, bool):
            return self.value
        self.expected(Sentence.json_boolean)
        return None

    def is_object(self) -> bool:
        if not self._has_members():
            self.expected(Sentence.json_object)
        return self._has_members()

    def _has_members(self) -> bool:
        return isinstance(self.value, dict)

    def mapping(self) -> dict[str, Any]:
        return dict(self._members()) if self.is_object() else {}

    def _members(self) -> Iterator[tuple[str, Any]]:
        for number, (key, value) in enumerate(self.value.items()):
            yield self._clean(key), Node(value, self.path + step(key, number), self.reading).anything()

    def anything(self) -> Any:
        """Return any JSON value in a storable form."""
        match self.value:
            case str():
                return self._clean(self.value)
            case dict():
                return self.mapping()
            case list():
                return [Node(each, f"{self.path}[{i}]", self.reading).anything() for i, each in enumerate(self.value)]
            case Decimal():
                return _storable(self.value)
            case _:
                return self.value

    def objects(self) -> Iterator["Node"]:
        """Return the objects of a list. Other items are skipped with a warning."""
        if not isinstance(self.value, list):
            self.expected(Sentence.json_list)
            return
        for index, value in enumerate(self.value):
            place = Node(value, f"{self.path}[{index}]", self.reading)
            if isinstance(value, dict):
                yield place
            else:
                place.expected(Sentence.json_object, found=Sentence.json_null if value is None else None)

    def moment(self) -> datetime | None:
        """Return a point in time in UTC. Cellosign's timestamps carry no zone, so the reading's zone applies.

        Years 1 and 9999 return None: a database session in another zone could store such a time but not read it again.
        """
        if self.value is None or self.value == "":
            return None
        try:
            moment = datetime.fromisoformat(self.value)
            in_utc = (moment if moment.tzinfo else moment.replace(tzinfo=self.reading.zone)).astimezone(UTC)
        except (TypeError, ValueError, OverflowError):
            in_utc = datetime.min.replace(tzinfo=UTC)
        if MINYEAR < in_utc.year < MAXYEAR:
            return in_utc
        self.warn(WarningCode.TIMESTAMP_UNREADABLE)
        return None

    def warn(self, code: WarningCode, **values: Any) -> None:
        self.reading.warnings.append(ArchiveWarning(code, self.path, values))

    def _clean(self, text: str) -> str:
        cleaned = UNSTORABLE.sub("\ufffd", text)
        if cleaned != text:
            self.warn(WarningCode.TEXT_REPLACED)
        return cleaned

    def expected(self, expected: Sentence, found: Sentence | None = None) -> None:
        """Warn that a value has the wrong type. A null counts as absent."""
        if self.value is not None or found:
            found = found or _JSON_TYPES.get(type(self.value), Sentence.json_number)
            self.warn(WarningCode.WRONG_TYPE, expected=_said(expected), found=_said(found))


def step(key: str, number: int) -> str:
    """Return the step of a path to a member with a key and a number. A path appears in logs, and keys of labels and the
    like are people's own text, so they are numbered.
    """
    return f".{key}" if _CELLOSIGNS_OWN_NAME.fullmatch(key) else f"{{{number}}}"


def _storable(number: Decimal) -> float | int | str:
    """Return a number in a storable form. A whole number keeps all its digits, so a card number can be masked."""
    if not math.isfinite(as_float := float(number)):
        return str(number)
    is_cut = abs(number) < _INT64 and number == number.to_integral_value() and number != Decimal(as_float)
    return int(number) if is_cut else as_float


def plain_name(name: str) -> str:
    """Return a provider's name in its normal form, equal for `cardId`, `card_id` and `CARD_ID`."""
    return name.replace("_", "").lower()


_JSON_TYPES: Mapping[type, Sentence] = {
    str: Sentence.json_other_text,
    bool: Sentence.json_boolean,
    list: Sentence.json_list,
    dict: Sentence.json_object,
}


@cache
def _said(sentence: Sentence) -> dict[str, Any]:
    return sentence().as_json()


def decimal_from(value: Any) -> Decimal | None:
    """Return the exact number of a JSON number or of text that spells a number, or None.

    Floats are never used. Exponents beyond any amount or coordinate return None, since they would exhaust memory
    (`1e999999999` is valid JSON).
    """
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        return None
    number = Decimal(value.strip() if isinstance(value, str) else value)
    return number if number.is_finite() and abs(number.adjusted()) < 300 else None


_NUMBER = re.compile(r"[-+]?[0-9]{1,100}(\.[0-9]{1,100})?([eE][-+]?[0-9]{1,3})?")
