"""Each report in the watched folder or bucket is imported once. A wrong report is named and delays no other report."""

import asyncio
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest

from adapters.inbox.report_files import new_files
from adapters.settings.settings import Settings
from flows.import_reports import import_reports
from models.errors import Conflict, Transient
from models.settlements.settlement import SettlementEntryRow
from tests.conftest import Configure, bucket_at
from tests.settlements import COLUMNS, NOW, line, report, reported, rows

pytestmark = pytest.mark.usefixtures("prefect")
Put = Callable[[str, bytes], None]
AN_HOUR_S = 3600


@pytest.fixture(autouse=True)
def _installation(configure: Configure, sqlite_installation: Settings, tmp_path: Path) -> None:
    (tmp_path / "columns.toml").write_text(COLUMNS)
    configure(settlement_columns="columns.toml")


@pytest.fixture(params=["folder", "bucket"])
def put(request: pytest.FixtureRequest, configure: Configure, tmp_path: Path) -> Put:
    """Put a report into the watched folder or bucket."""
    if request.param == "folder":
        (tmp_path / "reports").mkdir()
        configure(settlements_url="reports")
        return lambda name, data: at_rest(tmp_path / "reports" / name, data)
    prefix = f"reports-{time.monotonic_ns()}"
    configure(settlements_url=f"s3://archives/{prefix}", **bucket_at(request.getfixturevalue("s3_server")))
    return lambda name, data: put_object(f"{prefix}/{name}", data)


def at_rest(path: Path, data: bytes) -> None:
    """Write a file that has been unchanged for an hour."""
    path.write_bytes(data)
    os.utime(path, (time.time() - AN_HOUR_S, time.time() - AN_HOUR_S))


def put_object(key: str, data: bytes) -> None:
    boto3.Session().client("s3").put_object(Bucket="archives", Key=key, Body=data)


def run() -> None:
    asyncio.run(import_reports())


def amounts() -> list[int]:
    return sorted(each["amount_minor"] for each in rows(SettlementEntryRow))


def test_report_is_imported_once_and_again_after_a_change(put: Put) -> None:
    put("one.csv", report(line("c1", amount="1.00")))
    put("TWO.CSV", report(line("c2", amount="2.00")))
    put("readme.txt", b"no report")
    run()
    assert amounts() == [100, 200]
    assert len(reported()) == 2
    assert new_files(NOW.replace(year=2100)) == []

    put("one.csv", report(line("c1", amount="1.00"), line("c3", amount="3.00")))
    run()

    assert amounts() == [100, 200, 300]


def test_wrong_report_is_named_and_delays_no_other_report(put: Put) -> None:
    put("a.csv", report(line("c1", amount="4580000011112222x")))
    put("b.csv", report(line("c2")))

    for _ in range(2):
        with pytest.raises(Conflict, match=r"a\.csv: BAD_CELL at line 2, column amount") as wrong:
            run()
        assert "4580" not in str(wrong.value)

    assert amounts() == [2100]


@pytest.mark.parametrize("target", ["nowhere.csv", "a.csv"], ids=["to nothing", "to itself"])
def test_broken_link_is_named_and_delays_no_other_report(target: str, configure: Configure, tmp_path: Path) -> None:
    configure(settlements_url=str(tmp_path))
    (tmp_path / "a.csv").symlink_to(tmp_path / target)
    (tmp_path / "folder.csv").mkdir()
    at_rest(tmp_path / "b.csv", report(line("c2")))

    with pytest.raises(Conflict, match=r"^1 settlement reports .*a\.csv: UNREADABLE"):
        run()

    assert amounts() == [2100]


def test_report_removed_before_reading_is_not_found(configure: Configure, tmp_path: Path) -> None:
    configure(settlements_url=str(tmp_path))
    at_rest(tmp_path / "a.csv", report(line("c1")))
    (file,) = new_files(datetime.now(UTC))
    (tmp_path / "a.csv").unlink()

    with pytest.raises(FileNotFoundError):
        file.read()


def test_report_that_is_still_being_written_waits(configure: Configure, tmp_path: Path) -> None:
    configure(settlements_url=str(tmp_path))
    (tmp_path / "report.csv").write_bytes(report(line("c1")))

    run()

    assert amounts() == []


def test_nothing_is_imported_without_a_watched_place() -> None:
    run()

    assert amounts() == []


def test_missing_watched_place_is_transient(configure: Configure, tmp_path: Path) -> None:
    configure(settlements_url=str(tmp_path / "nowhere"))

    with pytest.raises(Transient):
        run()
