"""Releases and dismissals of refused bodies; and that nothing is kept of what comes again of an erased archive."""

import asyncio
import sys
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from ctypes import c_int
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGKILL
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import SQLModel, select

from adapters.database.connections import engine
from adapters.files.spool import remove_leftovers
from adapters.files.store import store
from adapters.inbox import inbox, quarantine, session_events
from adapters.settings.settings import settings
from adapters.store import ocfl
from adapters.tables.open_conditions import open_conditions
from adapters.tables.runs import refused
from domain.archive.found_process import FoundProcess
from models.completeness.processes import SessionEventRow, SessionEventType
from models.erasures import TombstoneRow
from models.errors import Refused, Transient
from models.runs.receipt import Identity, RefusedDelivery, Trigger
from models.store.condition import DerivedCode
from models.views.parameters import Dismissal
from services import imports
from services.completeness.session_events import take_in
from services.triggering.refused import Outcome, dismiss, list_all_refused, release_all, withdraw
from services.triggering.trigger import together, trigger
from tests.conftest import LONGEST_S, Configure, make_tables
from tests.installations import installed, taken_in
from tests.killed import FORKED, Countdown, count_writes, exit_status
from tests.records import all_of, archived, buried, document
from tests.samples import sample_body
from tests.session_events import NOON, body, journaled, large_body, session

GONE = "gone-4711"
RETURNS = 3 + 3 + 5


def quarantined(body: bytes, at: datetime = NOON, *named: Any) -> RefusedDelivery:
    return taken_in(body).quarantine(Refused("NOT_BASE64", "too strict"), at, FoundProcess(*named))


def _return() -> None:
    """Let everything of an erased archive come again: three deliveries and three refused ones, and five events, some
    of which name its session or its number alone; and an event of another process.
    """
    ocfl.make_root()
    for minute, content in enumerate([sample_body(GONE), sample_body(GONE), sample_body(GONE, note=1)]):
        taken_in(content).accept(Identity(GONE), NOON + timedelta(minutes=minute), {})
    for minute, name in enumerate([GONE, GONE, None], 10):
        quarantined(sample_body(GONE, note=minute), NOON + timedelta(minutes=minute), name, 100)
    named = [body(SessionEventType.DELETED, GONE), body(reference=GONE), large_body(GONE)]
    unnamed = {name: each for name, each in session(GONE).items() if name not in ("reference", "process_id")}
    new = {"id": "new", "process_number": 100, "transaction_number": 7}
    journaled([*named, body("WHP_X", session=unnamed), body("WHP_X", session=new)], NOON + timedelta(hours=1))
    journaled([body(reference="another")], NOON + timedelta(hours=1, seconds=1))


def _take_all() -> None:
    for delivery, *again in together(inbox.deliveries()):
        assert not asyncio.run(trigger(delivery, Trigger.SWEEP, again))
    asyncio.run(list_all_refused())
    take_in(session_events.batches())


def _take_all_counted(writes: int, made: Any) -> None:
    countdown = Countdown(writes)
    count_writes(countdown)
    _take_all()
    made.value = countdown.made


def _places(wanted: str) -> list[str]:
    """Return the tables and files that have a text in them or in their names."""
    tables = [each.name for each in SQLModel.metadata.sorted_tables]
    with engine().connect() as connection:
        rows = {name: str(connection.execute(text(f'SELECT * FROM "{name}"')).all()) for name in tables}
    folder = settings().data_dir.absolute()
    files = [each for each in folder.rglob("*") if each.is_file() and not each.name.startswith("cellar.db")]
    found = [str(each.relative_to(folder)) for each in files if wanted.encode() in each.read_bytes()]
    return [name for name, its in rows.items() if wanted in its] + found


def _bury() -> None:
    """Leave what an erasure leaves: the tombstone of an archive, and nothing else."""
    named = {name: each for name, each in session(GONE).items() if name != "reference"}
    archived(GONE, payload=document(GONE, **named))
    buried(GONE)
    # Rows that go are changes themselves.
    for table in sorted(SQLModel.metadata.sorted_tables, key=lambda each: each.name == "change"):
        if table.name not in ("access", "tombstone", "tombstone_mark"):
            with engine().begin() as connection:
                connection.execute(table.delete())


def _check() -> None:
    """Check that what came again is counted and nowhere, and that the event of another process is there."""
    assert _places(GONE) == []
    assert sorted(each.reference or "" for each in all_of(select(SessionEventRow))) == ["another"]
    assert [*inbox.deliveries(), *quarantine.refused(), *session_events.batches()] == []
    (one,) = all_of(select(TombstoneRow))
    assert one.returned == RETURNS


@pytest.mark.usefixtures("installation")
def test_nothing_of_an_erased_archive_comes_back_however_it_comes(tmp_path: Path) -> None:
    _bury()
    _return()

    _take_all()

    _check()
    taken_in(sample_body(GONE, note=5)).accept(Identity(GONE), NOON + timedelta(hours=2), {}, is_imported=True)
    assert imports.archive(inbox.imported()) == imports.Drained()
    (kept,) = [store().read_bytes(key) for key, _ in store().listed("events")]
    assert kept.count(b"\n") == 1
    saved = tmp_path / "saved.json"
    saved.write_bytes(sample_body(GONE, note=4))
    [read] = imports.take_in([str(saved)], "default")
    assert (read.fault and read.fault.code, read.path) == ("ERASED", "")
    saved.unlink()
    assert _places(GONE) == []
    (found,) = [each for each in open_conditions() if each.code == DerivedCode.ERASED_RETURNED]
    assert found.count == RETURNS + 2


@pytest.mark.usefixtures("sqlite_installation")
def test_released_body_of_an_erased_archive_leaves_with_its_record() -> None:
    _bury()
    made = quarantined(sample_body(GONE))
    release_all({made.receipt_id: [made]})

    _take_all()

    assert _places(GONE) == []


@pytest.mark.usefixtures("sqlite_installation")
def test_nothing_is_registered_while_the_key_is_away_and_something_is_erased(configure: Configure) -> None:
    _bury()
    _return()
    own = b64encode(settings().active_seal_keys()[0]).decode()
    configure(seal_keys=b64encode(bytes(64)).decode())
    for take in (lambda: take_in(session_events.batches()), lambda: asyncio.run(list_all_refused()), _take_all):
        with pytest.raises(Transient, match="the key of the fingerprints is away"):
            take()
    assert len(list(inbox.deliveries())) == 3

    configure(seal_keys=own)
    _take_all()

    _check()


def test_removal_that_is_killed_before_any_write_is_finished_by_the_next(tmp_path: Path) -> None:
    def attempted(writes: int) -> int:
        made: Any = FORKED.Value(c_int, lock=False)
        (folder := tmp_path / str(writes)).mkdir()
        with installed(folder):
            make_tables()
            _bury()
            _return()
            ended = exit_status(_take_all_counted, writes, made)
            assert ended == (0 if writes == sys.maxsize else -SIGKILL)
            _take_all()
            remove_leftovers(store().spool_folder, datetime.now(UTC))  # as everywhere, an hour after a kill
            _check()
        return int(made.value)

    for number in range(0, attempted(sys.maxsize), 4):
        attempted(number)


@pytest.mark.usefixtures("sqlite_installation")
def test_bodies_that_two_people_release_at_once_are_released_and_one_removed_by_hand_is_not() -> None:
    bodies = {each.receipt_id: [each] for each in (quarantined(sample_body(f"r-{number}")) for number in range(40))}
    at_once = Barrier(2)

    def release() -> list[Outcome]:
        at_once.wait(LONGEST_S)
        return release_all(bodies)

    with ThreadPoolExecutor(2) as people:
        outcomes = [each.result() for each in [people.submit(release) for _ in range(2)]]

    assert outcomes == [[Outcome(each, None) for each in bodies]] * 2
    assert {each.receipt_id for each in inbox.deliveries()} == set(bodies)
    assert all(each.released_at for each in quarantine.refused())

    by_hand = quarantined(sample_body("r"))
    quarantine.remove_body(by_hand.receipt_id)
    [outcome] = release_all({by_hand.receipt_id: [by_hand]})
    assert outcome.fault
    assert outcome.fault.code == "BODY_MISSING"
    assert [each for each in quarantine.refused() if not each.released_at] == [by_hand]


@pytest.mark.usefixtures("sqlite_installation")
def test_decision_that_the_database_does_not_have_yet_is_not_overwritten() -> None:
    released, dismissed = quarantined(sample_body("r")), quarantined(b"{")
    refused.record([released, dismissed])
    now, said = datetime.now(UTC), Dismissal(by="Dana", why="a test")
    release_all({released.receipt_id: [released]})
    assert dismiss(refused.of_bodies([released.receipt_id]), said, now) == []
    refused.record(dismiss([dismissed], said, now))
    quarantine.set_dismissed(dismissed, "Noa", "no archive", now + timedelta(seconds=1))

    assert withdraw("Dana", now, now + timedelta(seconds=2)) == 0

    kept = {each.receipt_id: each for each in quarantine.refused()}
    assert kept[released.receipt_id].released_at
    assert kept[dismissed.receipt_id].dismissed_by == "Noa"
    assert kept[dismissed.receipt_id].is_dismissed
