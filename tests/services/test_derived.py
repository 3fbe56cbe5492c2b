"""Workers fill in what archives lack, and go on where a program was killed; a search says how much is left."""

import os
import signal
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlmodel import col, delete, select

from adapters.database.transactions import reading, writing
from adapters.search import templates as said
from adapters.settings.settings import Settings, settings
from adapters.store import ocfl, seals, tombstones
from adapters.store import templates as kept
from adapters.tables.runs import receipts, refused
from adapters.tables.settlements import index_standings
from models.access import CELLAR
from models.archive.archive import ArchiveRow, State
from models.archive.session import LabelRow
from models.payments import PaymentRow, Standing
from models.runs.receipt import Cause, RefusedDelivery
from models.said import verbatim
from models.search import DerivedRow, SearchEntryRow, SearchFacetRow
from models.templates import Template, TemplateWords
from models.views.archives.archives import ArchiveQuery
from services import derived, templates
from services.custody.verifying_records import verify_beside
from services.views import archive_list
from tests.conftest import LONGEST_S, Configure
from tests.killed import Countdown, count_commits, exit_status
from tests.records import NOON, archived, change, delivery, digest, document, registered

Entries = tuple[set[tuple[int, str, str, str | None, int]], set[tuple[int, str, int]]]
ARCHIVES = 9
CAUSE = Cause("STORE_AWAY", None, "Transient", verbatim("The store is away."))
_POLL_S = 0.05
_WAITING = text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock' AND state = 'active'"
)


def entries() -> Entries:
    with reading() as session:
        rows = session.exec(select(SearchEntryRow))
        found = {(each.id, each.reference, each.text, each.title, each.version) for each in rows}
        facets = {(each.entry_id, each.kind, each.facet) for each in session.exec(select(SearchFacetRow))}
    return found, facets


def found(**filters: object) -> list[str]:
    return [each.reference for each in archive_list.page(ArchiveQuery.model_validate(filters), CELLAR).items]


def not_indexed() -> int:
    return archive_list.page(ArchiveQuery(), CELLAR).not_indexed


def filled(at_once: int = 4) -> int:
    return sum(iter(lambda: derived.fill(at_once), 0))


@pytest.fixture
def written(installation: Settings) -> Entries:
    """Load archives, some that a person should look at and some only registered, and return their entries."""
    assert installation
    for number in range(ARCHIVES - 2):
        its = document(f"p-{number}", labels={"branch": f"חיפה {number}"})
        its["payments"][0]["amount"] = 1 if number % 2 else its["payments"][0]["amount"]
        receipt_id = archived(f"p-{number}", minute=number, payload=its)
        if number == 2:
            receipts.set_state(receipt_id, State.COMPLETED, NOON)
            receipts.set_failed(receipt_id, CAUSE, NOON)  # a condition
    registered("p-two-sources", "a", minute=99)
    receipts.register_all([replace(delivery("p-two-sources", "b", minute=100), source="elsewhere")])
    receipts.set_failed(registered("p-failed", minute=101), CAUSE, NOON)
    at = delivery(minute=102).received_at
    refused.record([RefusedDelivery("refused", digest("x"), at, 2, "NOT_BASE64", "", "no base64", "p-0")])
    return entries()


def lose() -> None:
    with writing() as session:
        session.execute(delete(SearchFacetRow))
        session.execute(delete(SearchEntryRow))


def make_others() -> None:
    """Leave entries as a program of another version makes them."""
    with writing() as session:
        session.execute(update(SearchEntryRow).values(text="other", title=None, version=1))
        session.execute(update(SearchFacetRow).values(facet=SearchFacetRow.facet + 1))


@pytest.mark.parametrize("change", [lose, make_others])
def test_entries_that_are_filled_in_are_those_that_were_written_beside_the_rows(
    written: Entries, change: Callable[[], None]
) -> None:
    change()
    derived.begin()
    assert not_indexed() == derived.lacking() == ARCHIVES

    assert filled() == ARCHIVES
    assert entries() == written
    assert (not_indexed(), filled()) == (0, 0)
    assert found(q='"חיפה 3"') == ["p-3"]


def test_filling_in_that_is_killed_within_a_batch_goes_on_after_the_batches_before(written: Entries) -> None:
    lose()
    derived.begin()

    for batches, done in ((0, 0), (2, 4), (1, 6)):
        assert exit_status(_fill_until_killed, batches) == -signal.SIGKILL
        assert (len(entries()[0]), not_indexed()) == (done, ARCHIVES - done)

    assert filled() == ARCHIVES - 6
    assert entries() == written
    assert not_indexed() == 0


def _fill_until_killed(commits: int) -> None:
    count_commits(Countdown(commits))
    while derived.fill(2):
        pass


def test_what_is_there_already_is_not_made_again(written: Entries) -> None:
    change(delete(SearchEntryRow).where(col(SearchEntryRow.reference) == "p-3"))
    derived.begin()
    assert not_indexed() == 1

    derived.fill(3)  # of three archives before it
    assert not_indexed() == 1

    filled()
    assert {each for each in entries()[0] if each[1] == "p-3"} == {each for each in written[0] if each[1] == "p-3"}


def test_other_settings_fill_in_all_archives_once_migrate_has_begun(
    written: Entries, installation: Settings, configure: Configure
) -> None:
    derived.begin()
    configure(search_labels="none", database_url=installation.database_location)
    assert (derived.lacking(), filled()) == (None, 0)

    derived.begin()
    assert (derived.lacking(), filled()) == (ARCHIVES, ARCHIVES)
    assert len(entries()[1]) < len(written[1])
    assert found(q="חיפה") == []


def test_entries_that_a_program_of_another_version_writes_later_are_made_again(
    written: Entries, installation: Settings, configure: Configure
) -> None:
    derived.begin()
    configure(search_labels="none", database_url=installation.database_location)
    archived("p-3", "p-3", minute=3, payload=document("p-3", labels={"branch": "חיפה 3"}))
    archived("p-new", minute=200)
    assert found(q='"חיפה 3"') == []

    configure(search_labels="*", database_url=installation.database_location)
    assert (filled(), filled()) == (2, 0)

    assert found(q='"חיפה 3"') == ["p-3"]
    assert {version for *_, version in entries()[0]} == {version for *_, version in written[0]}


@pytest.fixture
def beside(configure: Configure, postgres_installation: str) -> Iterator[ThreadPoolExecutor]:
    """Yield threads beside an archive on Postgres, since SQLite has one writer at a time."""
    configure(database_url=postgres_installation)
    archived("p-1", minute=1, payload=document("p-1", labels={"branch": "before"}))
    lose()
    derived.begin()
    with ThreadPoolExecutor() as threads:
        yield threads


def wait_for_lock(work: "Future[object]") -> None:
    """Wait until the work waits for a lock. Work that takes none ends."""
    while not work.done():
        with reading() as session:
            if session.connection().execute(_WAITING).scalar_one():
                return
        wait_for([work], timeout=_POLL_S)


def test_filling_in_writes_the_rows_that_a_run_has_just_replaced(beside: ThreadPoolExecutor) -> None:
    with writing() as session:
        session.get_one(ArchiveRow, "p-1", with_for_update=True)
        session.execute(update(LabelRow).values(value="after"))
        filling: Future[object] = beside.submit(derived.fill)
        wait_for_lock(filling)
    filling.result()

    assert found(label=["branch=after"]) == found(q="after") == ["p-1"]
    assert found(label=["branch=before"]) == found(q="before") == []


def test_standings_are_those_of_the_payments_that_a_run_has_just_replaced(beside: ThreadPoolExecutor) -> None:
    derived.fill()
    with writing() as session:
        session.get_one(ArchiveRow, "p-1", with_for_update=True)
        session.execute(update(PaymentRow).where(col(PaymentRow.reference) == "p-1").values(standing=Standing.HELD))
        indexing: Future[object] = beside.submit(index_standings, ["p-1"])
        wait_for_lock(indexing)
    indexing.result()

    assert found(standing=Standing.HELD) == ["p-1"]


def test_filling_in_makes_what_two_people_chose_at_once(beside: ThreadPoolExecutor) -> None:
    def _name(template_id: str) -> None:
        templates.name({template_id: TemplateWords(title=["person"])}, "a test", NOON)

    with writing() as session:
        session.get_one(DerivedRow, derived.SEARCH, with_for_update=True)
        naming: list[Future[object]] = [beside.submit(_name, each) for each in ("a", "b")]
        for each in naming:
            wait_for_lock(each)
    for each in naming:
        each.result()

    assert derived.lacking() == 1


def test_verify_finds_nothing_wrong_with_a_template_that_somebody_names_meanwhile(beside: ThreadPoolExecutor) -> None:
    template = Template(id="a", words=TemplateWords(), changed_at=NOON, changed_by="a test")
    with writing() as session:
        derived.lock(session)
        said.put(session, template)
        kept.keep(template)
        verifying: Future[Any] = beside.submit(verify_beside)
        wait_for_lock(verifying)

    assert [each for each in verifying.result().findings if each.key == kept.key_in_store("a")] == []


def test_one_program_fills_in_at_a_time_and_no_other_waits_for_it(beside: ThreadPoolExecutor) -> None:
    with writing() as session:
        session.get_one(DerivedRow, derived.SEARCH, with_for_update=True)
        assert beside.submit(derived.fill).result(LONGEST_S) == 0

    assert (derived.fill(), not_indexed()) == (1, 0)


def test_workers_fill_in_the_digests_of_references_once_the_key_of_the_store_is_there(
    written: Entries, configure: Configure
) -> None:
    change(update(ArchiveRow).values(digest=None))
    own = b64encode(settings().active_seal_keys()[0]).decode()
    ocfl.make_root()
    configure(seal_keys=own)
    seals.fingerprint("")
    configure(seal_keys=b64encode(os.urandom(64)).decode())
    assert (derived.fill_digests(), tombstones.known_digest("p-0")) == (0, None)

    configure(seal_keys=own)

    assert (derived.fill_digests(), derived.fill_digests()) == (len(written[0]), 0)
    with reading() as session:
        rows = session.exec(select(ArchiveRow)).all()
    assert [each.digest for each in rows] == [tombstones.digest_of(each.reference) for each in rows]
