"""Settlement reports in both kinds of store: kept without secrets, and restored."""

import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import delete

from adapters.database.transactions import writing
from adapters.files.store import store
from adapters.store import settlement_reports
from adapters.store.seals import fingerprint
from models.discrepancies import DiscrepancyCode as C
from models.discrepancies import DiscrepancyRow
from models.settlements.settlement import SettlementEntryRow, SettlementReportRow
from services.settlements import importing
from tests.conftest import bucket_at, make_tables
from tests.domain.settled import day
from tests.installations import installed
from tests.settlements import (
    NOW,
    covering,
    days_later,
    emptied,
    forgotten,
    imported,
    line,
    paid,
    report,
    reported,
    rows,
)


@pytest.fixture(scope="module", params=["folder", "bucket"])
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Set up an installation with each kind of store."""
    values = {}
    if request.param == "bucket":
        endpoint = request.getfixturevalue("s3_server")
        values = {"store_url": f"s3://archives/settlements-{time.monotonic_ns()}", **bucket_at(endpoint)}
    with installed(tmp_path_factory.mktemp("settlements"), **values):
        make_tables()
        yield str(request.param)


@pytest.fixture
def empty_store(stored: str) -> str:
    emptied()
    return stored


@pytest.mark.usefixtures("empty_store")
def test_secrets_are_not_in_the_store() -> None:
    imported(report(line("cguid-secret", auth="0987654", card="4580000011112222")))

    kept = b"".join(store().read_bytes(key) for key, _ in store().listed("settlements"))
    assert fingerprint("cguid-secret").encode() in kept
    assert not [each for each in (b"cguid-secret", b"0987654", b"0000111122") if each in kept]


@pytest.mark.usefixtures("empty_store")
def test_reports_are_restored_from_the_store() -> None:
    paid("r", "c1")
    imported(report(line("c1", amount="20.00"), line("c2")), now=days_later(1))
    imported(report(line("c1", amount="1.00"), *covering(day(0), day(20))), now=days_later(2))
    tables = (SettlementEntryRow, SettlementReportRow, DiscrepancyRow)
    before = [rows(table) for table in tables]
    forgotten()

    assert importing.restore_reports(days_later(3), print) == 2

    assert [rows(table) for table in tables] == before


@pytest.mark.usefixtures("empty_store")
def test_damaged_report_is_named_and_blocks_no_other_report() -> None:
    reports = [report(line(f"c{number}")) for number in range(3)]
    for each in reports:
        imported(each)
    first, second = sorted(report_id for report_id, _ in settlement_reports.kept(print))[:2]
    store().overwrite_bytes(b"{}", f"settlements/{first}.json")
    store().overwrite_bytes(b"yesterday", f"settlements/{second}.imported")
    forgotten()
    damaged = dict[str, str]()

    assert importing.restore_reports(NOW, damaged.__setitem__) == 1

    assert sorted(damaged) == [first, second]
    assert (len(rows(SettlementEntryRow)), reported()) == (1, [(None, C.MISSING_IN_ARCHIVE)])
    imported(*reports)
    forgotten()
    assert importing.restore_reports(NOW, print) == 3


@pytest.mark.usefixtures("empty_store")
def test_report_removed_from_the_store_leaves_nothing_in_a_new_database() -> None:
    paid("r", "c1")
    paid("missed", "c2")
    imported(report(line("c1", amount="20.00"), line("c3")))
    assert len(reported()) == 3
    ((report_id, _),) = settlement_reports.kept(print)
    for name in (f"settlements/{report_id}.json", f"settlements/{report_id}.imported"):
        store().remove(name)
    with writing() as session:  # a new database has only its discrepancies, which are kept with their archives
        for table in (SettlementEntryRow, SettlementReportRow):
            session.execute(delete(table))

    assert importing.restore_reports(NOW, print) == 0

    assert reported() == []


@pytest.mark.usefixtures("sqlite_installation")
def test_many_reports_are_restored_with_few_open_files() -> None:
    for number in range(12):
        imported(report(line(f"c{number}")))
    forgotten()
    opened = sum(1 for _ in Path("/proc/self/fd").iterdir())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened + 8, hard))
    try:
        assert importing.restore_reports(NOW, print) == 12
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
