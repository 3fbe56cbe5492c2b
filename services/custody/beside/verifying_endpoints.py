"""Verifies the definitions of endpoints in the store, from which they would be rebuilt."""

from collections.abc import Iterator

from adapters.files.store import store
from adapters.store.beside import kept_endpoints
from adapters.tables.messages import endpoints
from models.store.fixity import Fault, FixityFinding

_EXPECTED = "the sealed definition of an endpoint"


def wrong_endpoints() -> Iterator[FixityFinding]:
    """Find definitions that are damaged, locked or missing.

    Raises:
        Transient: database or store does not answer.
    """
    damaged: list[tuple[str, str]] = []
    for _ in kept_endpoints.kept(lambda *each: damaged.append(each)):
        pass
    for key, reason in damaged:
        yield FixityFinding(key, Fault.DAMAGED, _EXPECTED, reason)
    for row in endpoints.every():
        key = kept_endpoints.key_of(row.name)
        # What the settings declare is kept from the first change on.
        if row.actions and store().size(key) is None:
            yield FixityFinding(key, Fault.MISSING, _EXPECTED, "nothing")
