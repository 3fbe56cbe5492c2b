"""Fixity: whether the store still holds what was written into it."""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What is wrong with a file of the store."""

    DAMAGED = "damaged"
    MISSING = "missing"
    EXTRA = "extra"
    INTERRUPTED = "interrupted"
    """No damage: its writer was killed, or is at it. The next run of the archive completes it."""


@dataclass(frozen=True, slots=True)
class FixityFinding:
    """A file, by its key in the store, and what is wrong with it."""

    key: str
    fault: Fault
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Fixity:
    """What a check of objects has found, and how much it has read."""

    objects: int
    files: int
    size_bytes: int
    findings: tuple[FixityFinding, ...]

    @property
    def is_sound(self) -> bool:
        return all(finding.fault is Fault.INTERRUPTED for finding in self.findings)

    def __add__(self, other: "Fixity") -> "Fixity":
        return Fixity(
            self.objects + other.objects,
            self.files + other.files,
            self.size_bytes + other.size_bytes,
            self.findings + other.findings,
        )


NOTHING = Fixity(0, 0, 0, ())
