"""Transactions of several processes on one database, and errors while the database is away."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import psycopg
import pytest
from sqlmodel import Session, select

from adapters.database.transactions import engine, insert_new, insert_rows, is_reachable, reading, writing
from adapters.settings.settings import Settings
from adapters.tables.runs import receipts
from models.archive.archive import ArchiveRow, FormFieldRow
from models.errors import Transient
from models.runs.receipt import ReceiptRow
from tests.conftest import LONGEST_S
from tests.records import NOON, delivery, digest

Configure = Callable[..., Settings]
ROW = {"receipt_id": "a", "reference": "r", "state": "received", "received_at": NOON, "size_bytes": 1}

WRITER = """
import sys
from adapters.tables.runs import receipts
from tests.records import delivery
sys.stdin.read()
for number in range(25):
    receipts.register(delivery(f"process {number}", f"{sys.argv[1]} {number}"))
    receipts.register(delivery("shared", "shared", number=int(sys.argv[1]) * 25 + number))
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
    def fail() -> None:
        with writing() as session:
            insert_new(session, ReceiptRow, ROW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    with reading() as session:
        assert count(session) == 0


@pytest.mark.usefixtures("installation")
def test_insert_new_returns_whether_the_row_is_new() -> None:
    with writing() as session:
        assert insert_new(session, ReceiptRow, ROW)
        assert not insert_new(session, ReceiptRow, ROW | {"state": "failed"})

    assert receipts.get("a").state == "received"


@pytest.mark.usefixtures("installation")
def test_reader_does_not_see_an_uncommitted_write() -> None:
    with writing() as writer:
        insert_new(writer, ReceiptRow, ROW)
        with reading() as reader:
            assert count(reader) == 0

    with reading() as reader:
        assert count(reader) == 1


@pytest.mark.usefixtures("installation")
def test_inserting_no_rows_is_allowed() -> None:
    with writing() as session:
        insert_rows(session, FormFieldRow, [])


@pytest.mark.usefixtures("installation")
def test_times_come_back_in_utc_to_the_microsecond() -> None:
    in_jerusalem = datetime(2022, 12, 21, 22, 29, 17, 603248, timezone(timedelta(hours=2)))
    with writing() as session:
        insert_new(session, ArchiveRow, {"reference": "r", "state": "received", "received_at": in_jerusalem})

    with reading() as session:
        (row,) = session.exec(select(ArchiveRow)).all()
    assert row.received_at == datetime(2022, 12, 21, 20, 29, 17, 603248, UTC)
    assert (row.received_at.tzinfo, row.completed_at) == (UTC, None)


def test_sqlite_commit_syncs_to_the_disk(sqlite_installation: Settings) -> None:
    assert sqlite_installation.database_location.startswith("sqlite")
    with engine().connect() as connection:
        modes = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]

    assert modes == ["wal", 2]  # 2 is FULL


@pytest.mark.parametrize("prefix", ["postgresql://", "postgres://", "postgresql+psycopg://"])
def test_every_common_postgres_url_is_accepted(configure: Configure, postgres_database: str, prefix: str) -> None:
    configure(database_url=postgres_database.replace("postgresql://", prefix, 1))

    assert is_reachable()


def test_unreachable_sqlite_is_transient(configure: Configure, tmp_path: Path) -> None:
    configure(database_url=f"sqlite:///{tmp_path}/no/such/folder/cellar.db")

    assert not is_reachable()
    with pytest.raises(Transient):
        receipts.register(delivery())


def test_unreachable_postgres_is_transient(configure: Configure) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        configure(database_url=f"postgresql://u@127.0.0.1:{unused.getsockname()[1]}/cellar")

        assert not is_reachable()
        with pytest.raises(Transient):
            receipts.register(delivery())


def test_every_connection_recovers_after_a_restart_of_postgres(configure: Configure, postgres_database: str) -> None:
    configure(database_url=postgres_database)
    with engine().connect(), engine().connect():
        pass
    with psycopg.connect(postgres_database, autocommit=True) as restarted:
        others = "pid <> pg_backend_pid() AND datname = current_database()"
        restarted.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}".encode())

    time.sleep(1.1)  # a connection that was used within the last second is trusted without a look

    assert is_reachable()
    with engine().connect() as one, engine().connect() as other:
        assert one.exec_driver_sql("SELECT 1").scalar() == other.exec_driver_sql("SELECT 1").scalar() == 1


def test_connection_that_breaks_during_a_transaction_is_transient(configure: Configure, postgres_database: str) -> None:
    configure(database_url=postgres_database)

    with pytest.raises(Transient), reading() as session:
        session.connection().exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
