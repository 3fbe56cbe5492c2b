"""Says on what terms a source sends."""

from adapters.store.beside import sources
from models.sources.source import SourceTerms


def terms_of(source: str) -> SourceTerms:
    """Return the terms of a source: its own, and those of the settings where it states none or is unknown.

    In a receiver it asks nobody: it is answered from memory.

    Raises:
        Transient: the store does not answer.
    """
    return sources.terms_of(source)


def default_terms() -> SourceTerms:
    """Return the terms of the settings, which every source has that states none of its own."""
    return sources.default_terms()
