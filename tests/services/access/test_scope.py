"""A clerk sees the archives that have a facet, on every kind of database."""

import pytest
from sqlmodel import col, delete

from adapters.settings.settings import Settings
from models.access import CELLAR, Caller, Role
from models.errors import Refused
from models.search import SearchEntryRow
from models.views.archives.archives import ArchiveQuery
from services.access.scope import check_there, check_visible
from services.views import archive_list
from tests.conftest import Configure
from tests.records import archived, buried, change, document, registered


def seen(branch: str) -> list[str]:
    """Return the archives that a clerk of a branch sees one by one, which are those in the list."""
    clerk = Caller("teller", Role.CLERK, f"label:branch={branch}")
    listed = [each.reference for each in archive_list.page(ArchiveQuery(), clerk).items]
    for reference in ("one", "two", "unknown", "nul\0"):
        if reference in listed:
            check_visible(clerk, reference)
        else:
            with pytest.raises(Refused, match="UNKNOWN_REFERENCE"):
                check_visible(clerk, reference)
    return listed


def test_an_archive_is_seen_by_the_branch_that_its_current_version_names_until_it_is_erased(
    installation: Settings,
) -> None:
    assert installation
    registered("one")
    assert (seen("חיפה"), seen("Tel Aviv")) == ([], [])  # nobody knows the branch before the archive is loaded

    archived("one", payload=document("one", labels={"branch": "חיפה"}))
    archived("two", payload=document("two", labels={"branch": "Tel Aviv"}))
    assert (seen("חיפה"), seen("Tel Aviv"), seen("")) == (["one"], ["two"], [])

    moved = document("one", labels={"branch": "Tel Aviv"})
    archived(
        "one", "a later body", minute=1, payload=moved | {"event": {"type": "WHP_ARCHIVE", "timestamp": "2025-01-01"}}
    )
    assert (seen("חיפה"), sorted(seen("Tel Aviv"))) == ([], ["one", "two"])

    change(delete(SearchEntryRow).where(col(SearchEntryRow.reference) == "two"))
    assert seen("Tel Aviv") == ["one"]

    buried("one")
    for caller, code in (
        (Caller("teller", Role.CLERK, "label:branch=Tel Aviv"), "UNKNOWN_REFERENCE"),
        (CELLAR, "ERASED"),
    ):
        with pytest.raises(Refused) as refused:
            check_there(caller, "one")
        assert refused.value.code == code


@pytest.mark.usefixtures("sqlite_installation")
def test_a_clerk_sees_nothing_once_the_facet_is_none(configure: Configure) -> None:
    archived("one", payload=document("one", labels={"branch": "Haifa"}))
    assert seen("Haifa") == ["one"]

    configure(search_labels="other")
    for look in (lambda clerk: archive_list.page(ArchiveQuery(), clerk), lambda clerk: check_visible(clerk, "one")):
        with pytest.raises(Refused, match="label:branch is no longer a facet"):
            look(Caller("teller", Role.CLERK, "label:branch=Haifa"))
