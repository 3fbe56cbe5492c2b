"""Judgements: verdicts on a signed document that were made again after its arrival."""

from dataclasses import dataclass
from datetime import datetime

from models.archive.verdict import Verdict

MOST_CHANGES = 1000
"""The most changes that a result lists."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict on the signed document of a version, made after its arrival.

    `receipt_id` is the receipt of the version. `number` counts the judgements of the version from 1. `roots` is the
    digest of the trust roots at that time. `cellar` and `pyhanko` are the versions of the programs that judged.
    """

    receipt_id: str
    number: int
    at: datetime
    roots: str
    cellar: str
    pyhanko: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A kept verdict that is better than the document deserves today. Neither time nor trust roots explain it.

    `key` is the file of the kept verdict in the store. `about` is `document`, or `signature` and its number. No member
    has a name of a person or of a field.
    """

    key: str
    about: str
    kept: str
    found: str


@dataclass(frozen=True, slots=True)
class Change:
    """A document that is judged differently than the last time. `is_worse`: a person should know about it.

    `before` and `now` are outcomes, with what was said of trust.
    """

    reference: str
    version: int
    before: str
    now: str
    is_worse: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """The result of judging documents again. `kept` is the number of new judgements in the store.

    `changes` has the first changes, and `changes_in_all` their number. `unjudged` are the keys of objects with a
    document that could not be judged, `unkept` those of versions whose judgement could not be kept, with the reasons.
    """

    documents: int = 0
    kept: int = 0
    changes_in_all: int = 0
    changes: tuple[Change, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    unjudged: tuple[tuple[str, str], ...] = ()
    unkept: tuple[tuple[str, str], ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether every document could be judged, and no kept verdict is better than its document."""
        return not self.contradictions and not self.unjudged

    def __add__(self, other: "Judged") -> "Judged":
        return Judged(
            self.documents + other.documents,
            self.kept + other.kept,
            self.changes_in_all + other.changes_in_all,
            (self.changes + other.changes)[:MOST_CHANGES],
            self.contradictions + other.contradictions,
            self.unjudged + other.unjudged,
            self.unkept + other.unkept,
        )
