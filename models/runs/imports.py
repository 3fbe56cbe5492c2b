"""What an import of saved payloads has done so far."""

from enum import StrEnum

from pydantic import BaseModel

MOST_PROBLEMS = 1000


class ImportOutcome(StrEnum):
    """What became of a payload. `known`: it was archived before. `failed`: it waits in the inbox for a run of its own.

    A payload that could not be read is refused too; it is not in quarantine.
    """

    IMPORTED = "imported"
    KNOWN = "known"
    REFUSED = "refused"
    FAILED = "failed"


class ImportProblem(BaseModel):
    """A payload that was refused or has failed. No text of the payload is in it, except the name of its file."""

    path: str
    outcome: ImportOutcome
    code: str
    where: str
    detail: str
    receipt_id: str | None


class ImportPosition(BaseModel):
    """The last file that an import has read, and how many of its payloads are done."""

    file: str
    payloads: int


class ImportProgress(BaseModel):
    """The counts of an import, its first problems, and its position, where a killed import goes on.

    `done_bytes` and `total_bytes` count bytes of the files, compressed or not.
    """

    imported: int = 0
    known: int = 0
    refused: int = 0
    failed: int = 0
    done_bytes: int = 0
    total_bytes: int = 0
    position: ImportPosition | None = None
    problems: list[ImportProblem] = []

    def count(self, outcome: ImportOutcome, payloads: int = 1) -> None:
        setattr(self, outcome, getattr(self, outcome) + payloads)

    def add(self, problem: ImportProblem) -> None:
        self.count(problem.outcome)
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)

    @property
    def is_clean(self) -> bool:
        return not self.refused and not self.failed

    @property
    def share(self) -> float:
        """The share of the bytes that is done, from 0 to 1."""
        return min(1.0, self.done_bytes / self.total_bytes) if self.total_bytes else 0.0

    def __str__(self) -> str:
        counts = f"{self.imported:,} imported, {self.known:,} already known"
        return f"{counts}, {self.refused:,} refused, {self.failed:,} failed"
