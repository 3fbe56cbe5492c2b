"""What changed between two versions of an archive."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class DifferenceKind(StrEnum):
    FIELD = "field"
    FILE = "file"
    PAYMENT = "payment"
    SIGNATURE = "signature"
    SESSION = "session"


class Change(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Values:
    """JSON values of one member, None where a version has none."""

    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that two versions do not share.

    `key` is its id as sent, or what it is and its number among those without one (`attachment[0]`). `members` are those
    that differ, as the API shows them. `withheld` names those of a changed thing that differ and are not shown.
    """

    kind: DifferenceKind
    key: str
    change: Change
    members: dict[str, Values]
    withheld: tuple[str, ...]
