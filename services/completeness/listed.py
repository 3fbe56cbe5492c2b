"""Opens findings about processes that Cellosign's own list has and cellar has not."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from adapters.database.transactions import pages, reading, writing
from adapters.tables.completeness import listed as tables
from domain.completeness.listed_identity import finding_of, listed_id
from models.completeness.listed import ListedFinding

_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Listed:
    """The findings of missing processes, in the order of the processes, and how many of them are new."""

    findings: list[ListedFinding]
    new: int


def open_listed(missing: Iterable[ListedFinding], now: datetime, *, dry_run: bool = False) -> Listed:
    """Open findings with why `listed`, and return the finding of each process.

    A process that is missing already, by its session events or by an earlier list, keeps its finding, and so does a
    process that a person has dismissed. A finding whose deadline has passed does not count: the list shows that
    Cellosign still has the process. The search closes the findings whose archive arrives.

    Raises:
        Transient: the database does not answer.
    """
    findings: list[ListedFinding] = []
    new = 0
    for page in pages(missing, _AT_ONCE):
        with reading() if dry_run else writing() as session:
            known = tables.known_findings(session, page)
            theirs = [finding_of(each, near) for each, near in zip(page, known, strict=True)]
            opened = [
                _with_new_id(each, near) for each, near, its in zip(page, known, theirs, strict=True) if its is None
            ]
            if not dry_run:
                tables.open_within(session, opened, now)
        new += len(opened)
        rest = iter(opened)
        findings += (its or next(rest) for its in theirs)
    return Listed(findings, new)


def _with_new_id(finding: ListedFinding, known: Iterable[ListedFinding]) -> ListedFinding:
    used = {each.missing_id for each in known}
    earlier, missing_id = 0, finding.missing_id
    while missing_id in used:
        earlier += 1
        missing_id = listed_id(finding.source, finding.process_number, finding.transaction_number, earlier)
    return replace(finding, missing_id=missing_id)
