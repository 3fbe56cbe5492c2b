"""`cellar migrate` fills in the entries of archives that have none, and goes on where it was killed."""

from collections.abc import Callable

import pytest
from sqlalchemy import delete
from sqlmodel import select

from adapters.database.transactions import reading, writing
from adapters.search.entries import searchable
from adapters.search.progress import is_complete
from adapters.settings.settings import Settings
from domain.search.facets import digest_of
from models.search.entry import SearchEntryRow, SearchFacetRow
from models.views.archives.archives import ArchiveQuery
from services.search.filling import fill
from services.views import archive_list
from tests.records import archived, document, registered

Entries = tuple[set[tuple[int, str, str]], set[tuple[int, str, int]]]


def entries() -> Entries:
    with reading() as session:
        found = {(each.id, each.reference, each.text) for each in session.exec(select(SearchEntryRow))}
        facets = {(each.entry_id, each.kind, each.facet) for each in session.exec(select(SearchFacetRow))}
    return found, facets


def remove_entries() -> None:
    """Make the database as an earlier build left it."""
    with writing() as session:
        session.execute(delete(SearchFacetRow))
        session.execute(delete(SearchEntryRow))


@pytest.fixture
def written(installation: Settings) -> Entries:
    """Load archives, some with a discrepancy, some only registered, and return their entries."""
    assert installation
    for number in range(7):
        its = document(f"p-{number}", labels={"branch": f"חיפה {number}"})
        its["payments"][0]["amount"] = 1 if number % 2 else its["payments"][0]["amount"]
        archived(f"p-{number}", minute=number, payload=its)
    registered("p-registered", minute=99)
    return entries()


def test_entries_that_are_filled_in_are_those_that_were_written_beside_the_rows(written: Entries) -> None:
    remove_entries()

    assert fill() == 8
    assert entries() == written
    assert [each.reference for each in archive_list.page(ArchiveQuery(q='"חיפה 3"')).items] == ["p-3"]


def test_a_filling_that_was_killed_goes_on_where_it_was(written: Entries) -> None:
    remove_entries()

    def _kill(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill(_kill, at_once=3)
    assert len(entries()[0]) == 3

    assert fill(at_once=3) == 5
    assert entries() == written
    assert fill() == 0


def test_other_settings_fill_in_all_archives_again(
    written: Entries, installation: Settings, configure: Callable[..., Settings]
) -> None:
    assert fill() == 8
    configure(search_labels="none", database_url=installation.database_location)

    assert not is_complete(digest_of(searchable()))
    assert fill() == 8
    assert is_complete(digest_of(searchable()))
    assert len(entries()[1]) < len(written[1])
    assert archive_list.page(ArchiveQuery(q="חיפה")).items == []
