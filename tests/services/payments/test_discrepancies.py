"""Discrepancies in the database: their lifecycle, their history, and concurrent reconciliation."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from adapters.database.transactions import reading, writing
from domain.payments.discrepancies import by_id
from models.discrepancies import (
    HOLD_CODES,
    PAYLOAD_CODES,
    SETTLEMENT_CODES,
    Discrepancy,
    DiscrepancyCode,
    DiscrepancyEventRow,
    DiscrepancyRow,
)
from models.errors import Refused
from models.payments import Standing
from models.views.archives.payments import Explanation
from services.payments import discrepancies, recorded
from services.payments.discrepancies import reconcile_judged, reconcile_many, reconcile_version
from services.payments.recorded import may_have_discrepancies
from tests.installations import archive_of
from tests.records import NOON, all_of, archived, document

ON_BOTH = pytest.mark.usefixtures("installation")
ON_SQLITE = pytest.mark.usefixtures("sqlite_installation")
"""For tests that do not depend on the kind of database."""

MISMATCH = Discrepancy(DiscrepancyCode.AMOUNT_MISMATCH, "t", "21.00 ILS", "25.00 ILS")
ANOTHER = replace(MISMATCH, transaction_id="u")
LATE = Discrepancy(DiscrepancyCode.SETTLED_LATE, "t", "7 days", "9 days")
UNASSIGNED = Discrepancy(DiscrepancyCode.MISSING_IN_ARCHIVE, None, "a payment", "none", "line 7")
(ID,) = by_id("r", [MISMATCH])


def found(*these: Discrepancy, hour: int = 0, reference: str | None = "r") -> None:
    reconcile_many({reference: these}, PAYLOAD_CODES, NOON + timedelta(hours=hour))


def explain(discrepancy_id: str = ID, by: str = "Dana", hour: int = 0, **read: Any) -> bool:
    said = Explanation(by=by, why=f"{by} knows", **read)
    return discrepancies.explain(discrepancy_id, said, NOON + timedelta(hours=hour))


def history(discrepancy_id: str = ID) -> list[str]:
    """Return the past states of a discrepancy, with the hour after noon."""
    with reading() as session:
        its = select(DiscrepancyEventRow).where(DiscrepancyEventRow.discrepancy_id == discrepancy_id)
        events = session.exec(its.order_by(col(DiscrepancyEventRow.number))).all()
    assert [each.number for each in events] == list(range(1, len(events) + 1))
    return [f"{each.state} {(each.at - NOON).seconds // 3600}" for each in events]


@ON_BOTH
def test_discrepancy_opens_closes_and_reopens() -> None:
    archived()
    for hour, these in enumerate([[MISMATCH], [MISMATCH, ANOTHER], [ANOTHER], [], [MISMATCH]]):
        for _ in range(2):
            found(*these, hour=hour)

    assert history() == ["open 0", "closed 2", "open 4"]
    archive = archive_of("r")
    (shown,) = archive.discrepancies
    assert (shown.discrepancy_id, shown.state, shown.opened_at) == (ID, "open", NOON + timedelta(hours=4))
    assert "Expected: 21.00 ILS. Found: 25.00 ILS." in shown.sentence
    (closed,) = archive.closed_discrepancies
    assert (closed.transaction_id, closed.state, closed.closed_at) == ("u", "closed", NOON + timedelta(hours=3))


@ON_BOTH
def test_other_codes_other_archives_and_discrepancies_of_no_archive_are_reconciled_separately() -> None:
    archived()
    archived("s")
    found(MISMATCH)
    found(MISMATCH, reference="s")
    reconcile_many({"r": [LATE]}, SETTLEMENT_CODES, NOON)
    reconcile_many({None: [UNASSIGNED]}, SETTLEMENT_CODES, NOON)

    found()
    assert [each.code for each in archive_of("r").discrepancies] == ["SETTLED_LATE"]
    assert [each.code for each in archive_of("s").discrepancies] == ["AMOUNT_MISMATCH"]
    assert list(recorded.not_closed_by_id(None).values()) == [UNASSIGNED]

    reconcile_many({None: []}, SETTLEMENT_CODES, NOON)
    assert recorded.not_closed_by_id(None) == {}
    assert [each.code for each in archive_of("r").discrepancies] == ["SETTLED_LATE"]


@ON_SQLITE
def test_last_explanation_applies_until_the_amounts_change() -> None:
    archived()
    found(MISMATCH)
    assert recorded.open_discrepancies("r", 9) == [MISMATCH]

    assert [explain(hour=hour, by=by) for hour, by in ((1, "Ron"), (2, "Dana"), (3, "Dana"))] == [True, True, False]
    found(MISMATCH, hour=4)

    assert history() == ["open 0", "explained 1", "explained 2"]
    (shown,) = archive_of("r").discrepancies
    assert shown.state == "explained"
    assert shown.explanation
    assert (shown.explanation.by, shown.explanation.why) == ("Dana", "Dana knows")
    assert recorded.open_discrepancies("r", 9) == []

    found(replace(MISMATCH, found="26.00 ILS"), hour=5)

    (shown,) = archive_of("r").discrepancies
    assert (shown.state, shown.found, shown.explanation) == ("open", "26.00 ILS", None)
    assert len(recorded.open_discrepancies("r", 9)) == 1


@ON_SQLITE
def test_outdated_closed_and_unknown_discrepancies_cannot_be_explained() -> None:
    archived()
    found(MISMATCH)
    for expected, shown in (("20.00 ILS", "25.00 ILS"), (None, "26.00 ILS")):
        with pytest.raises(Refused, match="DISCREPANCY_CHANGED") as refused:
            explain(expected=expected, found=shown)
        assert refused.value.status == 409
    assert explain(expected="21.00 ILS", found="25.00 ILS")

    found()
    for discrepancy_id, status in ((ID, 409), ("unknown", 404)):
        with pytest.raises(Refused) as refused:
            explain(discrepancy_id)
        assert refused.value.status == status
    assert history() == ["open 0", "explained 0", "closed 0"]


@ON_SQLITE
def test_only_the_current_version_is_reconciled() -> None:
    older, current = (
        archived(
            body=year, payload=document() | {"event": {"type": "WHP_ARCHIVE", "timestamp": f"{year}-01-01T00:00:00"}}
        )
        for year in ("2022", "2023")
    )

    assert not reconcile_version("r", older, PAYLOAD_CODES, [MISMATCH], NOON)
    assert archive_of("r").discrepancies == []
    assert reconcile_version("r", current, PAYLOAD_CODES, [MISMATCH], NOON)
    assert [each.code for each in archive_of("r").discrepancies] == ["AMOUNT_MISMATCH"]


@ON_BOTH
def test_many_archives_are_reconciled_at_once() -> None:
    references = [f"r{number:04}" for number in range(1200)]
    archived(references[0])
    found: dict[str | None, list[Discrepancy]] = {reference: [MISMATCH, LATE] for reference in references}

    reconcile_many(found | {None: [UNASSIGNED]}, set(DiscrepancyCode), NOON)
    reconcile_many({reference: [LATE] for reference in references[:1100]}, set(DiscrepancyCode), NOON)

    states = [(row.code, row.state) for row in all_of(select(DiscrepancyRow))]
    assert len(states) == 2401
    assert states.count(("AMOUNT_MISMATCH", "closed")) == 1100
    assert states.count(("SETTLED_LATE", "open")) == 1200
    assert [each.code for each in archive_of(references[0]).discrepancies] == ["SETTLED_LATE"]


@ON_BOTH
def test_concurrent_reconciliations_open_a_discrepancy_once() -> None:
    for reference in "rs":
        archived(reference)
    ready = threading.Barrier(6)

    def settled(these: Sequence[Discrepancy]) -> None:
        ready.wait()
        for number in range(4):
            many = dict.fromkeys(["s", None, "r"], these if number % 2 == 0 else [])
            reconcile_many(many, PAYLOAD_CODES, NOON + timedelta(hours=number))

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(settled, [[MISMATCH]] * 6))

    for settled_one in ("r", "s", None):
        states = [each.split()[0] for each in history(*by_id(settled_one, [MISMATCH]))]
        assert states == (["open", "closed"] * len(states))[: len(states)]
        assert states[-1] == "closed"


@ON_SQLITE
def test_reconciling_without_changes_does_not_wait_for_a_writer() -> None:
    receipt_id = archived()
    found(MISMATCH)
    reconcile_judged(["r"], HOLD_CODES, lambda *_: {"r": []}, NOON)

    with writing() as session:
        session.connection()  # on SQLite, this blocks every other writer
        found(MISMATCH)
        reconcile_judged(["r"], HOLD_CODES, lambda *_: {"r": []}, NOON)
        assert reconcile_version("r", receipt_id, PAYLOAD_CODES, [MISMATCH], NOON)

    assert history() == ["open 0"]


@ON_SQLITE
def test_findings_that_change_during_the_write_are_reconciled_again() -> None:
    archived()
    truth = iter([[MISMATCH], [MISMATCH], [], [], []])

    reconcile_judged(["r"], PAYLOAD_CODES, lambda *_: {"r": next(truth)}, NOON)

    assert history() == ["open 0", "closed 0"]


@ON_BOTH
def test_archive_may_have_discrepancies_if_it_has_payments_or_open_discrepancies() -> None:
    archived("with payments")
    archived("r", payload=document("r") | {"payments": []})
    may_have = [may_have_discrepancies(each, HOLD_CODES) for each in ("with payments", "r", "nowhere")]
    assert may_have == [True, False, False]
    assert may_have_discrepancies("with payments", HOLD_CODES, {Standing.VERIFIED})
    assert not may_have_discrepancies("with payments", HOLD_CODES, {Standing.HELD})

    found(MISMATCH)
    assert not may_have_discrepancies("r", HOLD_CODES)
    assert may_have_discrepancies("r", PAYLOAD_CODES)

    found()
    assert not may_have_discrepancies("r", PAYLOAD_CODES)


@ON_BOTH
def test_withdrawn_explanations_are_open_again_unless_something_has_changed_since() -> None:
    archived()
    found(MISMATCH, ANOTHER)
    other = next(each for each in by_id("r", [MISMATCH, ANOTHER]) if each != ID)
    for each in (ID, other):
        explain(each, hour=1)
    found(MISMATCH, hour=2)

    assert discrepancies.withdraw("Noa", NOON + timedelta(hours=1), NOON + timedelta(hours=3)) == 0
    assert discrepancies.withdraw("Dana", NOON + timedelta(hours=1), NOON + timedelta(hours=3)) == 1

    assert history() == ["open 0", "explained 1", "open 3"]
    assert history(other)[-1] == "closed 2"


@ON_BOTH
def test_what_somebody_has_explained_meanwhile_is_left_out_of_a_decision_about_many() -> None:
    archived()
    found(MISMATCH)
    said = [Explanation(by=by, why="in order") for by in ("Dana", "Dana", "Noa")]

    new = [discrepancies.explain_each({ID: each}, NOON + timedelta(hours=at)) for at, each in enumerate(said)]

    assert (new, history()) == ([1, 0, 0], ["open 0", "explained 0"])
    assert discrepancies.explain_each({ID: said[0], "of no discrepancy": said[0]}, NOON) == 0
