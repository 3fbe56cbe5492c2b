"""Compares two versions of an archive."""

from adapters.store.objects.requests import stored_version
from domain.archive.difference import differences
from models.archive.difference import Difference


def version_differences(reference: str, before: int, after: int) -> list[Difference]:
    """Return the differences between two versions of a process's archive, by the versions' numbers.

    Raises:
        Refused: the archive has no such version.
        Locked: the archive's key is not available.
        Conflict: the store does not give a version back.
        Transient: the store does not answer.
    """
    one, other = (stored_version(reference, number) for number in (before, after))
    return differences(one.archive(), other.archive(), other.payment_terms)
