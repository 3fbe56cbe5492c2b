"""Changes come in order, and a reader skips none: with several writers, killed ones, and after a database is new."""

import secrets
from collections.abc import Iterator
from functools import partial
from itertools import count
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event
from sqlmodel import col, delete, select, update

from adapters.database.connections import engine
from adapters.database.transactions import reading, writing
from adapters.settings.settings import settings
from adapters.store.tombstones import known_digests
from adapters.tables import changes as table
from adapters.tables.archives import archives
from adapters.tables.changes import Place
from adapters.tables.runs import receipts
from models.access import CELLAR, Caller, Role
from models.archive.archive import ArchiveRow, State
from models.changes import ChangePage, ChangeRow
from models.errors import Refused
from models.messages.notification import NotificationRow
from models.runs.receipt import RunRow
from models.search import Kind, SearchEntryRow, SearchFacetRow
from models.store.condition import ConditionCode, ConditionRow, Subject
from services import changes, derived
from services.erasure.removing import delete_rows
from services.erasure.traces import REMOVED, named_by
from tests.conftest import Configure, wait_until
from tests.killed import begun
from tests.records import NOON, all_of, archived, buried, change, digest, document, put, registered, run_row

_MOST_WRITERS = 3


def read(after: str | None = None, **how: Any) -> ChangePage:
    return changes.page(CELLAR, after, **how)


def kinds(page: ChangePage, reference: str = "r") -> set[str]:
    return {each.kind for each in page.items if each.reference == reference}


@pytest.mark.usefixtures("installation")
def test_work_on_an_archive_is_named_and_a_page_goes_on_where_the_last_ended() -> None:
    archived("before")
    begin = read()
    assert [(each.kind, each.reference) for each in begin.items] == [("content", "before")]

    receipt_id = archived("r", payload=document("r") | {"payments": []})
    arrived = read(begin.next)
    put(run_row("a run", receipt_id))
    receipts.set_state(receipt_id, State.COMPLETED, NOON)
    done = read(arrived.next)

    assert kinds(arrived) == {"delivery", "state", "version", "content", "finding"}
    assert kinds(done) == {"run", "state"}
    assert read(done.next).items == []
    assert {each.digest for each in (*arrived.items, *done.items)} == {known_digests(["r"]).get("r")}
    pages = [read(begin.next, most=2)]
    while pages[-1].items:
        pages.append(read(pages[-1].next, most=2))
    assert len(pages) > 4
    assert [each for page in pages for each in page.items] == [*arrived.items, *done.items]


@pytest.mark.usefixtures("installation")
def test_no_statement_is_sent_for_a_change() -> None:
    """A run adds a few rows, which triggers write within the statements of the run."""
    read()
    sent = list[str]()
    event.listen(engine(), "before_cursor_execute", lambda *told: sent.append(told[2]))

    archived("r")

    assert len(sent) > 20
    assert [each for each in sent if "change" in each.lower().split()] == []
    assert len(all_of(select(ChangeRow).where(ChangeRow.position > 0))) <= 6


def test_change_that_commits_later_is_not_skipped(configure: Any, postgres_installation: str) -> None:
    configure(database_url=postgres_installation)
    begin = read()
    with psycopg.connect(postgres_installation) as slow, psycopg.connect(postgres_installation) as fast:
        _write(slow, "first")
        _write(fast, "second")
        fast.commit()
        assert [each.reference for each in all_of(select(RunRow))] == ["second"]
        meanwhile = read(begin.next)

        slow.commit()

    assert meanwhile.items == []
    assert _until(meanwhile.next, 2) == ["first", "second"]


def _write(connection: psycopg.Connection, reference: str) -> None:
    its = "(flow_run_id, attempt, reference, receipt_id, trigger, state, started_at)"
    values = [secrets.token_hex(8), reference, digest(reference)]
    connection.execute(f"INSERT INTO run {its} VALUES (%s, 1, %s, %s, 'webhook', 'Running', now())".encode(), values)


def _until(cursor: str, number: int) -> list[str | None]:
    """Read until there are so many changes: what the server does for itself also holds the horizon, for a moment."""
    wait_until(lambda: len(read(cursor).items) >= number)
    return [each.reference for each in read(cursor).items]


_STEPS = st.lists(
    st.tuples(st.integers(0, _MOST_WRITERS), st.sampled_from(["write", "write", "commit", "roll back", "die", "read"])),
    max_size=40,
)


@given(_STEPS)
def test_each_committed_change_is_read_once_however_transactions_interleave(
    written_to: Iterator[str], steps: list[tuple[int, str]]
) -> None:
    rows, place = table.changes(None, 1000)
    while rows:
        rows, place = table.changes(place, 1000)
    writers = [psycopg.connect(settings().database_location) for _ in range(_MOST_WRITERS + 1)]
    open_, committed, found = [list[str]() for _ in writers], set[str](), list[Any]()

    def _read(place: Place) -> Place:
        rows, place = table.changes(place, 3)
        found.extend(rows)
        return place

    for number, what in [*steps, *((number, "commit") for number in range(len(writers)))]:
        if what == "write":
            open_[number].append(next(written_to))
            _write(writers[number], open_[number][-1])
        elif what == "read":
            place = _read(place)
        elif what == "commit":
            writers[number].commit()
            committed |= {*open_[number]}
        elif what == "roll back":
            writers[number].rollback()
        else:
            writers[number].close()
            writers[number] = psycopg.connect(settings().database_location)
        if what not in ("write", "read"):
            open_[number] = []
    for each in writers:
        each.close()

    def _is_whole() -> bool:
        nonlocal place
        place = _read(place)
        return len(found) >= len(committed)

    wait_until(_is_whole)
    assert sorted(each.reference for each in found) == sorted(committed)
    assert found == sorted(found, key=lambda row: row[:3])


@pytest.fixture
def written_to(configure: Any, postgres_installation: str) -> Iterator[str]:
    configure(database_url=postgres_installation)
    return (f"r-{number}" for number in count())


def _write_on(name: str) -> None:
    for number in count():
        registered(f"{name}-{number}")


@pytest.mark.usefixtures("installation")
def test_changes_of_killed_processes_that_write_at_once_are_all_read() -> None:
    seen, page = set[str | None](), read()
    writers = [begun(_write_on, f"writer-{number}") for number in range(_MOST_WRITERS)]

    def _has(name: str, most: int) -> bool:
        nonlocal page
        page = read(page.next, most=7)
        seen.update(each.reference for each in page.items)
        return len([each for each in seen if each and each.startswith(name)]) >= most

    for number, each in enumerate(writers):
        wait_until(partial(_has, f"writer-{number}", 5))
        each.kill()
        each.join()

    wait_until(lambda: {each.reference for each in all_of(select(ArchiveRow))} == seen or _has("", 1 << 30))


@pytest.mark.usefixtures("installation")
def test_new_database_begins_a_new_epoch_that_names_all_archives_and_what_was_erased() -> None:
    for each in ("r", "s"):
        archived(each)
    before = read()
    gone = buried("s")
    with writing() as session:  # as an erasure does
        session.get_one(ArchiveRow, "s").digest = gone
    change(delete(ArchiveRow).where(col(ArchiveRow.reference) == "s"))
    told = read(before.next)
    assert {(each.kind, each.reference, each.digest) for each in told.items} == {("erased", None, gone)}

    change(delete(ChangeRow).where(col(ChangeRow.position) == 0))  # as in a database that is rebuilt
    rebuilt = read(told.next)

    assert before.epoch == told.epoch != rebuilt.epoch
    assert {(each.kind, each.reference, each.digest) for each in rebuilt.items} == {
        ("content", "r", known_digests(["r"])["r"]),
        ("erased", None, gone),
    }
    change(update(ChangeRow).where(col(ChangeRow.position) == 0).values(reference="x.another server"))
    dumped = read(rebuilt.next)
    assert dumped.epoch not in (rebuilt.epoch, "x.another server")
    assert dumped.items != []
    ahead = Place(1 << 62, "", "", dumped.epoch)  # the database was set back
    assert len(table.changes(ahead, 10)[0]) == len(dumped.items)
    with pytest.raises(Refused, match="leave it out to begin anew"):
        read("x")
    assert archives.known(["s"]) == set()


@pytest.mark.usefixtures("installation")
def test_archive_that_enters_the_scope_of_a_clerk_without_any_other_change_is_named(configure: Configure) -> None:
    clerk = Caller("clerk", Role.CLERK, scope="label:branch=Haifa")
    archived("r", labels={"branch": "Haifa"})
    configure(search_labels="branch,floor")
    with writing() as session:  # as an entry that is made again after the clerk has read
        session.execute(delete(SearchFacetRow).where(col(SearchFacetRow.kind) == Kind.LABEL))
        session.execute(update(SearchEntryRow).values(version=0))
    begin = changes.page(clerk, None)

    derived.begin()
    while derived.fill():
        pass

    put(SearchFacetRow(entry_id=1, kind=Kind.LABEL, facet=1))  # of no archive, as while one is erased
    assert begin.items == []
    assert kinds(changes.page(clerk, begin.next)) == {"content"}


@pytest.mark.usefixtures("installation")
def test_message_about_no_archive_is_no_change() -> None:
    begin = read()
    archived("r")
    its: dict[str, Any] = {"receipt_id": "a group", "endpoint": "https://e.example", "event": "x", "state": "pending"}
    put(NotificationRow(message_id="m", reference="", planned_at=NOON, **its))

    assert "" not in {each.reference for each in read(begin.next).items}


@pytest.mark.usefixtures("installation")
def test_condition_that_is_found_while_its_archive_is_erased_leaves_no_change_that_names_it() -> None:
    archived("r")
    with reading() as session:
        named = named_by(session, session.get_one(ArchiveRow, "r"), digest("r"))
    its = {"kind": Subject.ARCHIVE, "code": ConditionCode.FILE_MISSING}
    put(ConditionRow(subject="r", since=NOON, found_at=NOON, count=1, values={}, **its))

    with writing() as session:
        delete_rows(session, named, REMOVED)

    assert "r" not in {each.reference for each in all_of(select(ChangeRow))}
