"""Fixity: the findings of a check whether the store still holds what was written."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum


class Fault(StrEnum):
    """The fault of a file in the store."""

    DAMAGED = "damaged"
    MISSING = "missing"
    EXTRA = "extra"
    UNREADABLE = "unreadable"
    """Its bytes do not come, or it is no file: a link, a pipe, a device. Those are never followed or opened."""
    ABSENT = "absent"
    """The store is not there: nothing has ever been archived in this place."""
    DIFFERS = "differs"
    """The store is right, and the database says otherwise. A run of the archive loads it again."""
    STALE = "stale"
    """The rows follow from the store on other terms, such as another CELLAR_TIMEZONE. A run loads them again.

    That is not sound: people read times and amounts that the settings no longer say. And the database itself says on
    which terms it was loaded, which somebody who rewrites rows may rewrite too.
    """
    INTERRUPTED = "interrupted"
    """No damage: its writer was killed, or is still writing. The next run of the archive completes it."""


@dataclass(frozen=True, slots=True)
class FixityFinding:
    """A file, by its key in the store, and its fault."""

    key: str
    fault: Fault
    expected: str
    found: str


EMPTY_FOLDER = "an empty folder"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object by its key, with the size of each file by its path in the object. `strange` is what is no file, such as
    a link or an empty folder, likewise by its path.
    """

    key: str
    sizes: Mapping[str, int]
    strange: Mapping[str, str] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        return sum(self.sizes.values())

    def damaged(self, path: str, expected: str, found: str) -> FixityFinding:
        return FixityFinding(f"{self.key}/{path}", Fault.DAMAGED, expected, found)

    def missing(self, path: str, expected: str = "a file") -> FixityFinding:
        return FixityFinding(f"{self.key}/{path}", Fault.MISSING, expected, "nothing")

    def unnamed(self, path: str) -> FixityFinding:
        return unnamed(f"{self.key}/{path}")

    def interrupted(self, path: str, expected: str, found: str) -> FixityFinding:
        return FixityFinding(f"{self.key}/{path}", Fault.INTERRUPTED, expected, found)

    def unreadable(self, path: str, expected: str, found: str) -> FixityFinding:
        return FixityFinding(f"{self.key}/{path}", Fault.UNREADABLE, expected, found)

    def differs(self, expected: str, found: str) -> FixityFinding:
        return FixityFinding(self.key, Fault.DIFFERS, expected, found)

    def stale(self, found: str) -> FixityFinding:
        return FixityFinding(self.key, Fault.STALE, "rows as the present settings read the archive", found)


def strange_thing(key: str, what: str) -> FixityFinding:
    """Return the finding for something that is no file, such as a link or an empty folder."""
    if what == EMPTY_FOLDER:
        return FixityFinding(key, Fault.EXTRA, "nothing", what)
    return FixityFinding(key, Fault.UNREADABLE, "a file", f"{what}, which is never followed or opened")


def unnamed(key: str) -> FixityFinding:
    return FixityFinding(key, Fault.EXTRA, "nothing", "a file that no inventory names")


@dataclass(frozen=True, slots=True)
class Fixity:
    """The findings of a check of objects, and the amount that it read. `erased`: how many archives were erased."""

    objects: int
    files: int
    size_bytes: int
    findings: tuple[FixityFinding, ...]
    erased: int = 0

    @property
    def is_sound(self) -> bool:
        return all(finding.fault is Fault.INTERRUPTED for finding in self.findings)

    @property
    def gravest_first(self) -> list[FixityFinding]:
        """The findings in the order of `Fault`, so that a few that are damage precede many that are not."""
        return sorted(self.findings, key=lambda each: list(Fault).index(each.fault))

    def __add__(self, other: "Fixity") -> "Fixity":
        return Fixity(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Fixity)))


NOTHING = Fixity(0, 0, 0, ())
