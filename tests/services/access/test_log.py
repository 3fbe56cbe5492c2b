"""The access log: what is recorded, and that nothing is lost or altered unseen."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlmodel import col, select

from domain.access_log import FIRST, digest_of
from models.access import AccessRow, Action, Caller, Role
from services.access.log import record, searched
from tests.records import all_of

DANA = Caller("Dana", Role.AUDITOR, None, "192.0.2.7")


@pytest.mark.usefixtures("installation")
def test_rows_of_many_threads_are_one_chain() -> None:
    with ThreadPoolExecutor(8) as threads:
        asked = [f"process-{number}" for number in range(40)]
        list(threads.map(lambda each: record(DANA, Action.READ_ARCHIVE, reference=each), asked))
    record(
        DANA, Action.LIST_ARCHIVES, outcome="denied", detail={"filters": searched([("q", "משה כהן"), ("cursor", "1")])}
    )

    rows = all_of(select(AccessRow).order_by(col(AccessRow.number)))
    assert sorted(row.reference for row in rows[:40]) == sorted(asked)
    assert [(row.chain, row.number) for row in rows] == [(rows[0].chain, number) for number in range(1, 42)]
    before = FIRST
    for row in rows:
        assert row.digest == digest_of(before, row.model_dump())
        before = row.digest
    last = rows[-1]
    assert (last.person, last.role, last.action, last.outcome, last.address) == (
        "Dana",
        "auditor",
        "list_archives",
        "denied",
        "192.0.2.7",
    )
    assert list(last.detail["filters"]) == ["q"]
    assert len(last.detail["filters"]["q"]) == 2
    assert "כהן" not in str(last.detail)


@pytest.mark.usefixtures("installation")
def test_reference_that_no_database_stores_is_recorded_as_far_as_it_can_be() -> None:
    record(DANA, Action.READ_ARCHIVE, reference="a\0b\ud800" + "c" * 300, outcome="denied")

    [row] = all_of(select(AccessRow))
    assert row.reference == "a\ufffdb?" + "c" * 251
