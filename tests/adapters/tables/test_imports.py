"""An import registers, completes and gives up receipts together. Its next attempt knows its deliveries."""

from datetime import UTC, datetime

import pytest
from sqlmodel import select

from adapters.database.transactions import reading
from adapters.tables import imports, receipts
from adapters.tables.imports import ImportAttempt
from models.archive.archive import State
from models.runs.receipt import Delivery
from models.runs.run import RunRow, RunState

pytestmark = pytest.mark.usefixtures("installation")

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FIRST = ImportAttempt("import-1", 1)
DELIVERIES = [
    Delivery(f"20260101T120000.000000Z-{each}", each * 64, f"r-{each}", NOON, 2, {"x-cellar-source": "import"})
    for each in "abc"
]
A, B, C = (each.receipt_id for each in DELIVERIES)


def states_of_runs() -> dict[str, tuple[str, str | None]]:
    with reading() as session:
        return {each.receipt_id: (each.state, each.failed_task) for each in session.exec(select(RunRow))}


def test_one_flow_run_has_a_run_of_each_receipt() -> None:
    imports.begin(DELIVERIES, FIRST, NOON)

    imports.complete([A], FIRST, NOON)
    imports.give_up({B: "load-metadata"}, FIRST, RunState.FAILED, NOON)

    assert states_of_runs() == {A: ("Completed", None), B: ("Failed", "load-metadata"), C: ("Running", None)}
    found = {each: receipts.get(each).state for each in (A, B, C)}
    assert found == {A: State.COMPLETED, B: State.RECEIVED, C: State.PROCESSING}


def test_only_what_is_given_up_is_left_to_a_sweep() -> None:
    imports.begin(DELIVERIES, FIRST, NOON)

    imports.give_up({B: None}, FIRST, RunState.CANCELLED, NOON)

    registered = receipts.registrations([each.delivery_id for each in DELIVERIES])
    assert [registered[each.delivery_id].flow_run_id for each in DELIVERIES] == ["import-1", None, "import-1"]


def test_next_attempt_knows_the_deliveries_of_its_run_and_another_run_only_the_states() -> None:
    imports.begin(DELIVERIES, FIRST, NOON)
    imports.complete([A], FIRST, NOON)

    own, another = imports.known([A, B, "0" * 64], "import-1"), imports.known([A, B], "import-2")

    assert {each: known.delivery for each, known in own.items()} == dict(zip([A, B], DELIVERIES, strict=False))
    assert {each: known.state for each, known in another.items()} == {A: State.COMPLETED, B: State.PROCESSING}
    assert not any(known.delivery for known in another.values())
