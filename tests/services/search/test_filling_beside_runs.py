"""Entries follow from the rows of a run that works on the same archive meanwhile. SQLite has one writer at a time."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for

import pytest
from sqlalchemy import text, update
from sqlmodel import col

from adapters.database.transactions import reading, writing
from adapters.settings.settings import Settings
from adapters.tables.settlements import index_standings
from models.archive.archive import ArchiveRow
from models.archive.session import LabelRow
from models.payments import PaymentRow, Standing
from models.views.archives.archives import ArchiveQuery
from services.search.filling import fill
from services.views import archive_list
from tests.records import archived, document

_POLL_S = 0.05
_WAITING = text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock' AND state = 'active'"
)


@pytest.fixture(autouse=True)
def _archive(configure: Callable[..., Settings], postgres_installation: str) -> None:
    configure(database_url=postgres_installation)
    archived("p-1", minute=1, payload=document("p-1", labels={"branch": "before"}))


def wait_for_lock(work: "Future[object]") -> None:
    """Wait until the work waits for a lock. Work that takes none ends."""
    while not work.done():
        with reading() as session:
            if session.connection().execute(_WAITING).scalar_one():
                return
        wait_for([work], timeout=_POLL_S)


def found(**filters: object) -> list[str]:
    return [each.reference for each in archive_list.page(ArchiveQuery.model_validate(filters)).items]


def test_filling_writes_the_rows_that_a_run_has_just_replaced() -> None:
    with ThreadPoolExecutor() as threads:
        with writing() as session:
            session.get_one(ArchiveRow, "p-1", with_for_update=True)
            session.execute(update(LabelRow).values(value="after"))
            filling: Future[object] = threads.submit(fill)
            wait_for_lock(filling)
        filling.result()

    assert found(label=["branch=after"]) == found(q="after") == ["p-1"]
    assert found(label=["branch=before"]) == found(q="before") == []


def test_standings_are_those_of_the_payments_that_a_run_has_just_replaced() -> None:
    with ThreadPoolExecutor() as threads:
        with writing() as session:
            session.get_one(ArchiveRow, "p-1", with_for_update=True)
            session.execute(update(PaymentRow).where(col(PaymentRow.reference) == "p-1").values(standing=Standing.HELD))
            indexing: Future[object] = threads.submit(index_standings, ["p-1"])
            wait_for_lock(indexing)
        indexing.result()

    assert found(standing=Standing.HELD) == ["p-1"]
