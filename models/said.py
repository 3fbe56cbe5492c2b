"""What cellar says: a code and its values. The catalogue (`domain/words`) words it in every language."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum, auto
from typing import Any, Self, TypeAlias, Union

Value: TypeAlias = Union[str, int, float, "Said", Mapping[str, Any], Sequence["Value"], None]
"""A text, a number, something said within it (or its JSON), or several of these: all that JSON knows."""


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence, or a part of one, before it has a language."""

    code: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def verbatim(text: str) -> Said:
    """Return a text that stays as it was written."""
    return Said("text", {"text": text})


def moment(at: datetime) -> Said:
    return Said("moment", {"at": at.isoformat()})


def said_of(kept: Mapping[str, Any]) -> Said:
    """Return what was said from its JSON. What is said within it stays JSON."""
    return Said(kept["code"], kept["values"])


def said_by(values: Mapping[str, Any], name: str, text: str | None) -> Said | None:
    """Return what an English text says, by the `values` beside it; as it is where an earlier build kept none."""
    if name in values:
        return said_of(values[name])
    return None if text is None else Said("kept_before", {"text": text})


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is wrong, and what to do, in English; `to_do` may be empty.

    `says_all`: the detail that the services keep beside the code has no value that the words lack.
    """

    what: str
    to_do: str = ""
    says_all: bool = False


class FindingCode(StrEnum):
    """Codes of findings. Each is the name of a `finding`, with its English.

    `detail` is what it says with its values, `short` what it means in a few words; either may be empty.
    """

    meaning: Meaning
    detail: str
    short: str

    def __new__(cls, code: str, meaning: Meaning | None = None, detail: str = "", short: str = "") -> Self:
        made = str.__new__(cls, code)
        made._value_, made.meaning, made.detail, made.short = code, meaning or Meaning(code), detail, short
        return made

    @staticmethod
    def _generate_next_value_(name: str, *_: object) -> str:
        return name


def finding(what: str, to_do: str, detail: str = "", *, short: str = "") -> tuple[Any, Meaning, str, str]:
    """Return the declaration of a member of `FindingCode`, whose name is its code."""
    return auto(), Meaning(what, to_do), detail, short
