"""Nothing goes into an empty folder in place of the store, as without the mount of its disk."""

from pathlib import Path

import pytest

from adapters.files.store import store
from adapters.inbox import inbox, session_events
from adapters.settings.settings import Settings
from models.completeness.processes import SessionEventType
from models.errors import System, Transient
from services.completeness.session_events import take_in
from services.custody.objects import object_of
from services.custody.verifying import verify_object
from services.health.probes import try_out
from tests.flows.conftest import received
from tests.installations import archived, finished
from tests.samples import sample_body
from tests.session_events import body, journaled


@pytest.fixture
def away(sqlite_installation: Settings) -> Path:
    """The store of an installation with an archive, moved away. An empty folder stands in its place."""
    archived("before", sample_body("before"))
    place = Path(sqlite_installation.store_location)
    moved = place.rename(place.with_name("moved"))
    place.mkdir()
    return moved


def came_back(away: Path) -> None:
    place = away.with_name("store")
    assert [path.name for path in place.rglob("*") if path.is_file()] == []
    for path in sorted(place.rglob("*"), reverse=True):
        path.rmdir()
    place.rmdir()
    away.rename(place)


def test_archive_waits_for_the_store_and_is_complete_there_when_it_is_back(away: Path) -> None:
    delivery = received("after", sample_body("after"))

    with pytest.raises(Transient, match="the store is empty while the database has archives") as refused:
        finished("after", delivery.receipt_id)
    with pytest.raises(Transient):
        try_out(System.STORE)
    assert (refused.value.system, inbox.has_body(delivery.receipt_id)) == (System.STORE, True)
    assert str(away.with_name("store")) in refused.value.in_full()

    came_back(away)
    try_out(System.STORE)
    finished("after", delivery.receipt_id)
    assert [verify_object(object_of(each)).findings for each in ("before", "after")] == [(), ()]


def test_re_run_of_an_archive_waits_for_the_store_instead_of_missing_its_body(away: Path) -> None:
    with pytest.raises(Transient, match="the store is empty"):
        archived("before", sample_body("before"))


def test_session_events_stay_in_the_inbox(away: Path) -> None:
    journaled([body(SessionEventType.DELETED)])

    with pytest.raises(Transient, match="the store is empty"):
        take_in(session_events.batches())
    came_back(away)

    assert take_in(session_events.batches()) == 1


def test_first_archive_of_an_installation_makes_the_store(sqlite_installation: Settings, store_kind: str) -> None:
    archived("first", sample_body("first"))

    assert store().size("archives/0=ocfl_1.1") is not None
