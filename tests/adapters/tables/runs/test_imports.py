"""An import registers, completes and gives up receipts together. Its next attempt knows its deliveries."""

from datetime import UTC, datetime

from sqlmodel import select

from adapters.tables.runs import imports, receipts, runs, waiting
from adapters.tables.runs.imports import ImportAttempt
from models.archive.archive import State
from models.errors import System
from models.runs.receipt import Cause, Delivery, RunRow, RunState
from models.said import verbatim
from tests.installations import archive_of
from tests.records import all_of, run_row

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FIRST = ImportAttempt("import-1", 1)
DELIVERIES = [
    Delivery(f"20260101T120000.000000Z-{each}", each * 64, f"r-{each}", NOON, 2, {"x-cellar-source": "import"})
    for each in "abc"
]
DAMAGED = Cause("CONFLICT", "load-metadata", "Conflict", verbatim("the object is damaged"))
A, B, C = (each.receipt_id for each in DELIVERIES)


def states_of_runs() -> dict[str, tuple[str, str | None]]:
    return {each.receipt_id: (each.state, each.failed_task) for each in all_of(select(RunRow))}


def test_one_flow_run_has_a_run_of_each_receipt() -> None:
    imports.begin(DELIVERIES, FIRST, NOON, {})

    imports.complete([A], FIRST, NOON)
    imports.give_up({B: DAMAGED}, FIRST, RunState.FAILED, NOON)

    assert states_of_runs() == {A: ("Completed", None), B: ("Failed", "load-metadata"), C: ("Running", None)}
    found = {each: receipts.get(each).state for each in (A, B, C)}
    assert found == {A: State.COMPLETED, B: State.RECEIVED, C: State.PROCESSING}


def test_failure_has_its_cause_in_the_history() -> None:
    imports.begin(DELIVERIES, FIRST, NOON, {})

    imports.give_up({B: DAMAGED}, FIRST, RunState.FAILED, NOON)

    archive = archive_of("r-b")
    [cause] = [each.cause for each in archive.runs]
    assert cause
    assert (cause.code, cause.task, cause.sentence) == (DAMAGED.code, DAMAGED.task, DAMAGED.sentence)


def test_archive_that_waits_for_its_import_says_why_and_stays_with_the_import() -> None:
    imports.begin(DELIVERIES, FIRST, NOON, {})

    imports.wait({B: DAMAGED}, FIRST, NOON)

    archive = archive_of("r-b")
    assert (archive.state, archive.cause and archive.cause.code) == ("processing", DAMAGED.code)
    assert [each.state for each in archive.runs] == ["AwaitingRetry"]
    assert imports.known([B], "import-1")[B].delivery == DELIVERIES[1]


def test_archive_that_an_import_completes_waits_for_nothing() -> None:
    [delivery, *_] = DELIVERIES
    receipts.register_all([delivery])
    run = run_row("run-1", A, reference=delivery.reference)
    runs.begin(run)
    runs.wait("run-1", 1, System.STORE, NOON, Cause("STORE_AWAY", "persist-files", "Transient", verbatim("why")))
    imports.begin(DELIVERIES, FIRST, NOON, {})
    assert waiting.systems() == {"store"}

    imports.complete([A], FIRST, NOON)

    assert waiting.systems() == set()


def test_only_what_is_given_up_is_left_to_a_sweep() -> None:
    imports.begin(DELIVERIES, FIRST, NOON, {})

    imports.give_up({B: None}, FIRST, RunState.CANCELLED, NOON)

    registered = receipts.registrations([each.delivery_id for each in DELIVERIES])
    assert [registered[each.delivery_id].flow_run_id for each in DELIVERIES] == ["import-1", None, "import-1"]


def test_next_attempt_knows_the_deliveries_of_its_run_and_another_run_only_the_states() -> None:
    imports.begin(DELIVERIES, FIRST, NOON, {})
    imports.complete([A], FIRST, NOON)

    own, another = imports.known([A, B, "0" * 64], "import-1"), imports.known([A, B], "import-2")

    assert {each: known.delivery for each, known in own.items()} == dict(zip([A, B], DELIVERIES, strict=False))
    assert {each: known.state for each, known in another.items()} == {A: State.COMPLETED, B: State.PROCESSING}
    assert not any(known.delivery for known in another.values())
