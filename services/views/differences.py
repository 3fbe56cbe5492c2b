"""Compares two versions of an archive."""

from adapters.store.objects.requests import stored_version
from domain.archive.difference import differences
from domain.masking import declared_types, masked_difference
from models.access import Caller
from models.archive.archive import Difference
from models.errors import Refused
from services.access.scope import check_loaded, check_visible
from services.views.masks import personal_of

MOST_VALUES = 20_000
"""The most values of a version that the receiver compares. The comparison of 99,000 takes 8 s of its processor."""


def version_differences(
    reference: str, caller: Caller, before: int, after: int, most_values: int | None = MOST_VALUES
) -> list[Difference]:
    """Return the differences between two versions of a process's archive, by the versions' numbers.

    Args:
        most_values: the most values of a version; None for any number. Its commas count, before it is parsed.

    Raises:
        Refused: the caller does not see the archive; it has no such version, or a version has more values.
        Locked: the archive's key is not available.
        Conflict: the store does not give a version back.
    """
    check_visible(caller, reference)
    one, other = (stored_version(reference, number) for number in (before, after))
    check_loaded(caller, reference)
    if most_values is not None and max(each.skeleton().count(b",") for each in (one, other)) >= most_values:
        what = f"expected versions of at most {most_values:,} values; run `cellar show REF --diff {before} {after}`"
        raise Refused("TOO_LARGE_TO_COMPARE", what, where="version", status=413)
    versions = one.archive(), other.archive()
    found = differences(*versions, other.payment_terms)
    if not caller.is_masked:
        return found
    personal, types = personal_of([reference])[reference], declared_types(versions)
    return [masked_difference(each, personal, types) for each in found]
