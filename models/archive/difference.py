"""Differences between two versions of an archive."""

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
    """The JSON values of a member in two versions. None means that a version has no value."""

    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Difference:
    """A thing that differs between two versions.

    `key` is the thing's id as sent, or its kind with its number among things without an id (`attachment[0]`). `members`
    are the members that differ, as the API shows them. `withheld` names members that differ and are not shown.
    """

    kind: DifferenceKind
    key: str
    change: Change
    members: dict[str, Values]
    withheld: tuple[str, ...]
