"""Finds damaged and lost judgements on signed documents."""

from collections.abc import Iterator

from adapters.store.objects import judgements
from models.errors import Conflict
from models.store.fixity import FixityFinding, StoredObject


def wrong_judgements(stored: StoredObject) -> Iterator[FixityFinding]:
    """Find judgements that are damaged, that belong elsewhere, or that lack an earlier judgement."""
    for receipt_id, numbers in judgements.numbers_of(stored.sizes).items():
        for number in range(1, max(numbers) + 1):
            path = judgements.path_of(receipt_id, number)
            if number not in numbers:
                yield stored.missing(path, "the judgement before a later judgement")
            elif not _is_whole(stored, path):
                yield stored.damaged(path, "the judgement as it was written", "a damaged or foreign judgement")


def _is_whole(stored: StoredObject, path: str) -> bool:
    try:
        judgements.read(stored.key, path)
    except Conflict:
        return False
    return True
