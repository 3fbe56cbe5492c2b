"""Names the findings of processes that only a list names, and tells which findings are theirs already."""

import hashlib
from collections.abc import Iterable

from models.completeness.listed import ListedFinding
from models.completeness.missing_process import Closing, Why
from models.runs.receipt import DEFAULT_SOURCE

_STANDING = (None, Closing.DISMISSED)


def listed_id(source: str, process_number: int | None, transaction_number: int | None, earlier: int = 0) -> str:
    """Return the id of the finding of a process that only a list has, after a number of earlier findings. Pure."""
    again = f" {earlier}" if earlier else ""
    return hashlib.sha256(f"listed {source} {process_number} {transaction_number}{again}".encode()).hexdigest()[:32]


def finding_of(missing: ListedFinding, known: Iterable[ListedFinding]) -> ListedFinding | None:
    """Return the finding that a missing process has already, of the findings with one of its numbers. Pure.

    An open finding comes before a closed one. A finding whose deadline has passed is none.
    """
    its = [each for each in known if _is_of(each, missing)]
    return min(its, key=lambda each: (each.closed_why is not None, each.missing_id), default=None)


def _is_of(known: ListedFinding, missing: ListedFinding) -> bool:
    if known.missing_id == missing.missing_id:
        return known.closed_why != Closing.DELETED
    # A list that stands for all sources names no source, and its findings have the source `default`.
    is_same = missing.source in (known.source, DEFAULT_SOURCE)
    is_same = is_same or (known.why == Why.LISTED and known.source == DEFAULT_SOURCE)
    transactions = {known.transaction_number, missing.transaction_number} - {None}
    return known.closed_why in _STANDING and is_same and len(transactions) < 2
