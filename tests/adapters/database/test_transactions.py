"""Transactions on both databases: outages, pools, locks and counts."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ctypes import c_int
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from threading import Barrier
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select, update

from adapters.database.connections import engine
from adapters.database.facts import counts
from adapters.database.migration import migrate
from adapters.database.outages import Program, connect_as
from adapters.database.pipeline import UNREAD
from adapters.database.transactions import insert_new, insert_rows, is_reachable, reading, streamed, writing
from adapters.settings.settings import Settings
from adapters.tables.runs import receipts
from models.archive.archive import ArchiveRow, FormFieldRow
from models.errors import Transient, Unusable
from models.runs.receipt import Delivery, DeliveryRow, ReceiptRow
from models.search import SearchEntryRow
from tests.conftest import LONGEST_S, Configure, url_of, wait_until
from tests.installations import archived, closed_url
from tests.killed import FORKED, Countdown, count_sent, exit_status
from tests.records import NOON, all_of, delivery, digest
from tests.samples import sample_document

_NOTHING, _WHOLE = [0, 0, 0, 0], [1, 1, 3, 1]
_NAMES = "SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
_MODES = ("journal_mode", "synchronous", "secure_delete")
ROW = {"receipt_id": "a", "reference": "r", "state": "received", "received_at": NOON, "size_bytes": 1}

WRITER = """
import sys
from adapters.tables.runs import receipts
from tests.records import delivery
sys.stdin.read()
for number in range(25):
    receipts.register_all([delivery(f"process {number}", f"{sys.argv[1]} {number}")])
    receipts.register_all([delivery("shared", "shared", number=int(sys.argv[1]) * 25 + number)])
"""


def count(session: Session) -> int:
    return len(session.exec(select(ReceiptRow)).all())


@pytest.mark.usefixtures("installation")
def test_writers_from_several_processes_all_succeed() -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", WRITER]
    writers = [subprocess.Popen([*command, str(number)], env=environment, stdin=subprocess.PIPE) for number in range(3)]
    for writer in writers:
        assert writer.stdin
        writer.stdin.close()  # starts the writer

    assert [writer.wait(LONGEST_S) for writer in writers] == [0, 0, 0]
    with reading() as session:
        assert count(session) == 3 * 25 + 1
    assert len(receipts.delivery_ids(digest("shared"))) == 3 * 25


@pytest.mark.usefixtures("installation")
def test_error_rolls_everything_back() -> None:
    def fail(last: dict[str, Any] | None) -> None:
        with writing() as session:
            insert_new(session, ReceiptRow, ROW | {"receipt_id": "b"})
            insert_rows(session, ReceiptRow, [ROW])
            if last is None:
                raise ZeroDivisionError
            insert_rows(session, ReceiptRow, [last])  # a pipeline does not wait for it

    with pytest.raises(ZeroDivisionError):
        fail(None)
    with pytest.raises(IntegrityError):
        fail(ROW)

    with writing() as session:
        assert count(session) == 0


@pytest.mark.usefixtures("installation")
def test_numbers_of_rows_and_streams_have_what_was_written_before_and_others_see_it_after_the_commit() -> None:
    with writing() as session:
        insert_rows(session, FormFieldRow, [])
        assert insert_new(session, ReceiptRow, ROW)
        assert not insert_new(session, ReceiptRow, ROW | {"state": "failed"})
        insert_rows(session, ReceiptRow, [ROW | {"receipt_id": "b"}])
        changed = session.connection().execute(update(ReceiptRow).values(size_bytes=2))
        assert changed.rowcount == 2
        insert_rows(session, ReceiptRow, [ROW | {"receipt_id": "c"}])
        assert sorted(streamed(session, select(ReceiptRow.size_bytes))) == [(1,), (2,), (2,)]
        insert_rows(session, ReceiptRow, [ROW | {"receipt_id": "d"}])
        with reading() as reader:
            assert count(reader) == 0

    with reading() as session:
        assert count(session) == 4
    assert receipts.get("a").state == "received"


@pytest.mark.usefixtures("installation")
def test_times_come_back_in_utc_to_the_microsecond() -> None:
    in_jerusalem = datetime(2022, 12, 21, 22, 29, 17, 603248, timezone(timedelta(hours=2)))
    with writing() as session:
        insert_new(session, ArchiveRow, {"reference": "r", "state": "received", "received_at": in_jerusalem})

    (row,) = all_of(select(ArchiveRow))
    assert row.received_at == datetime(2022, 12, 21, 20, 29, 17, 603248, UTC)
    assert (row.received_at.tzinfo, row.completed_at) == (UTC, None)


def test_sqlite_commit_syncs_to_the_disk_and_zeroes_what_is_deleted(sqlite_installation: Settings) -> None:
    assert sqlite_installation.database_location.startswith("sqlite")
    with engine().connect() as connection:
        modes = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in _MODES]

    assert modes == ["wal", 2, 1]  # 2 is FULL


@pytest.mark.parametrize("prefix", ["postgresql://", "postgres://", "postgresql+psycopg://"])
def test_every_common_postgres_url_is_accepted(configure: Configure, postgres_database: str, prefix: str) -> None:
    configure(database_url=postgres_database.replace("postgresql://", prefix, 1))

    assert is_reachable()


@pytest.mark.parametrize("url", ["sqlite:///{0}/no/such/folder/cellar.db", "postgresql://u@127.0.0.1:1/cellar"])
def test_unreachable_database_is_transient(configure: Configure, tmp_path: Path, url: str) -> None:
    configure(database_url=url.format(tmp_path))

    assert not is_reachable()
    with pytest.raises(Transient):
        receipts.register_all([delivery()])


def cut_others(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        others = "pid <> pg_backend_pid() AND datname = current_database()"
        connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}".encode())


def test_every_connection_recovers_after_a_restart_of_postgres(configure: Configure, postgres_database: str) -> None:
    configure(database_url=postgres_database)
    with engine().connect(), engine().connect():
        pass
    cut_others(postgres_database)
    time.sleep(1.1)  # a connection that was used within the last second is trusted without a look

    assert is_reachable()
    with engine().connect() as one, engine().connect() as other:
        assert one.exec_driver_sql("SELECT 1").scalar() == other.exec_driver_sql("SELECT 1").scalar() == 1


def test_connection_that_breaks_during_a_transaction_is_transient(configure: Configure, postgres_database: str) -> None:
    configure(database_url=postgres_database)
    broken = text("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(Transient), reading() as session:
        session.connection().execute(broken)
    for break_off in (
        lambda session: session.execute(broken),
        lambda session: session.execute(broken.execution_options(**UNREAD)),
        lambda _session: cut_others(postgres_database),  # COMMIT notices it
    ):
        with pytest.raises(Transient), writing() as session:
            break_off(session)
        with writing() as session:
            assert session.execute(text("SELECT 1")).scalar() == 1

    assert engine().pool.checkedout() == 0  # type: ignore[attr-defined]


def _register_until(steps: int, arrived: list[Delivery], made: Any) -> None:
    countdown = Countdown(steps)
    count_sent(countdown)
    receipts.register_all(arrived)
    made.value = countdown.made


def _arrived(name: str, hour: int) -> list[Delivery]:
    """Return three deliveries of a body. In an hour of its own, the archive's place in the list is free at once."""
    return [delivery(name, name, minute=60 * hour + each) for each in range(3)]


def _rows_of(reference: str) -> list[int]:
    tables = (ArchiveRow, ReceiptRow, DeliveryRow, SearchEntryRow)
    return [len(all_of(select(table).where(col(table.reference) == reference))) for table in tables]


@pytest.mark.parametrize("one_in", [pytest.param(1, marks=pytest.mark.faults), 40])
def test_transaction_that_is_killed_between_two_steps_is_there_wholly_or_not_at_all(
    configure: Configure, postgres_installation: str, one_in: int
) -> None:
    """A pipeline waits neither for BEGIN nor for most statements. The last step is before the answer to COMMIT."""
    configure(database_url=postgres_installation)
    made: Any = FORKED.Value(c_int, lock=False)
    assert exit_status(_register_until, sys.maxsize, _arrived("not killed", -1), made) == 0
    found = list[list[int]]()
    with psycopg.connect(postgres_installation, autocommit=True) as watching:
        for steps in [*range(0, made.value - 2, one_in), made.value - 2, made.value - 1]:
            name = f"killed before step {steps}"
            assert exit_status(_register_until, steps, _arrived(name, steps), made) == -signal.SIGKILL
            wait_until(lambda: len(watching.execute(_NAMES).fetchall()) <= 1)  # Postgres has ended the other's work
            found.append(_rows_of(name))
            receipts.register_all(_arrived(name, steps))
            assert _rows_of(name) == _WHOLE, name

    assert (found[0], found[-1]) == (_NOTHING, _WHOLE)
    assert found == sorted(found)
    assert all(each in (_NOTHING, _WHOLE) for each in found)


def error_of_reading() -> str:
    with pytest.raises(Transient) as failed, reading() as session:
        session.connection().exec_driver_sql("SELECT * FROM receipt")
    return " ".join([str(failed.value), *failed.value.__notes__])


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:///rows.db", "check CELLAR_DATABASE_URL in the working directory {0}"),
        ("sqlite:///{0}/none/rows.db", "the database does not exist {0}/none/rows.db; check CELLAR_DATABASE_URL"),
        ("sqlite:///{0}/notes.txt", "the database is not an SQLite file {0}/notes.txt; check CELLAR_DATABASE_URL"),
        ("sqlite:///{0}/empty.db", "run `cellar migrate` {0}/empty.db; if it is the wrong database"),
        (
            "postgresql://hidden:hidden@{1}/archives",
            "nothing listens at its address archives at {1}; check CELLAR_DATA",
        ),
    ],
)
def test_database_that_cannot_be_read_is_named_with_its_setting_and_not_made(
    configure: Configure, tmp_path: Path, url: str, said: str
) -> None:
    (tmp_path / "notes.txt").write_text("notes " * 500)
    (tmp_path / "empty.db").touch()
    places = tmp_path, closed_url().removeprefix("http://")
    configure(database_url=url.format(*places))

    error = error_of_reading()

    assert said.format(*places) in error
    assert "hidden" not in error
    assert not (tmp_path / "rows.db").exists()


def test_relative_data_folder_is_explained(configure: Configure, tmp_path: Path) -> None:
    configure(data_dir="here")

    assert f"CELLAR_DATA_DIR, which is 'here' in the working directory {tmp_path}" in error_of_reading()


def test_database_cannot_be_made_in_a_file_in_place_of_a_folder_or_of_another_kind(
    configure: Configure, tmp_path: Path
) -> None:
    (tmp_path / "data").write_text("notes " * 500)
    with pytest.raises(Unusable, match="cannot be made") as refused:
        migrate()
    assert f"{tmp_path}/data/cellar.db; check CELLAR_DATA_DIR" in "".join(refused.value.__notes__)
    configure(database_url=f"sqlite:///{tmp_path}/data")
    with pytest.raises(Unusable, match="is not an SQLite file"):
        migrate()
    configure(database_url="postgresql://u@127.0.0.1:1/cellar")
    with pytest.raises(Transient, match="does not answer"):
        migrate()


def test_missing_database_of_a_server_is_named(configure: Configure, postgres_server: str) -> None:
    configure(database_url=url_of(postgres_server, "nowhere"))

    assert "the server has no such database" in error_of_reading()


_MOST = 5


def test_threads_beyond_the_connections_wait_for_one(configure: Configure, postgres_installation: str) -> None:
    configure(database_url=postgres_installation, worker_connections=_MOST)
    connect_as(Program.COMMAND)  # another test may have run a receiver in this process
    all_at_once = Barrier(4 * _MOST)

    def _use(_: int) -> None:
        all_at_once.wait()
        with reading() as session:
            session.connection().execute(text("SELECT pg_sleep(0.05)"))

    with ThreadPoolExecutor(4 * _MOST) as threads:
        list(threads.map(_use, range(4 * _MOST)))

    with psycopg.connect(postgres_installation) as connection:
        names = [name for (name,) in connection.execute(_NAMES)]
    assert len(names) == _MOST  # it keeps what it has opened
    assert all(name.startswith("cellar command ") for name in names)


@pytest.fixture
def _often_switched() -> Iterator[None]:
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual_s)


@pytest.mark.usefixtures("_often_switched")
def test_threads_that_ask_first_at_the_same_time_share_one_pool(configure: Configure) -> None:
    for _ in range(20):
        configure()
        all_at_once = Barrier(8)

        def _ask(_: int, all_at_once: Barrier = all_at_once) -> Engine:
            all_at_once.wait()
            return engine()

        with ThreadPoolExecutor(8) as threads:
            assert len(set(threads.map(_ask, range(8)))) == 1


def test_rows_are_counted_with_a_zero_for_each_label_without_any(installation: Settings) -> None:
    empty = counts()
    assert empty.archives == {(state,): 0 for state in ("received", "processing", "completed", "failed")}
    assert empty.notifications == {(state,): 0 for state in ("pending", "delivered", "dead", "skipped")}
    assert set(empty.discrepancies.values()) == {0}
    document = sample_document()
    document["payments"][0]["amount"] += 1
    archived("counted", json.dumps(document | {"reference": "counted"}).encode())

    found = counts()

    assert found.archives["completed",] == 1
    assert found.discrepancies["AMOUNT_MISMATCH", "open"] == 1
