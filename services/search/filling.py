"""Fills in entries: a page of archives in each transaction, so that a killed filling goes on where it was."""

from collections.abc import Callable, Sequence

from adapters.database.transactions import writing
from adapters.search import progress
from adapters.search.entries import (
    add,
    entry_id,
    searchable,
    set_archive,
    set_attention,
    set_discrepancies,
    set_payload,
)
from adapters.tables.archives import archives
from adapters.tables.archives.recorded import recorded_within
from adapters.tables.settlements import index_standings
from domain.search.facets import TABLES, digest_of
from models.archive.archive import ArchiveRow

_AT_ONCE = 200


def fill(on_archives: Callable[[int], None] = lambda _: None, at_once: int = _AT_ONCE) -> int:
    """Fill in the entries of all archives that are not filled in by the present settings, and return their number.

    Receivers and workers may be at work: each archive is locked, and what they write is the same.

    Args:
        on_archives: called with the number of archives of each page.
        at_once: archives in a transaction. They are locked until it ends.

    Raises:
        Transient: the database does not answer.
    """
    settings = digest_of(searchable())
    filled = 0
    for page in progress.missing(settings, at_once):
        _fill(page)
        progress.note(settings, page[-1])
        filled += len(page)
        on_archives(len(page))
    progress.end(settings)
    return filled


def _fill(references: Sequence[str]) -> None:
    with writing() as session:
        archives.lock(session, references)
        rows = recorded_within(session, references, TABLES)  # read earlier, a run could have replaced them since
        for reference in references:
            archive = session.get_one(ArchiveRow, reference)
            if entry_id(session, reference) is None:
                add(session, archive)
            set_archive(session, archive)
            if archive.current_receipt_id is not None:
                set_payload(session, archive, rows[reference])
        set_discrepancies(session, references)
        for reference in references:
            set_attention(session, reference)
    index_standings(references)
