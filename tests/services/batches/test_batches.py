"""What batches of every kind share, and bulk re-runs, on both databases. Prefect does not answer."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from adapters.database.transactions import writing
from adapters.settings.settings import Settings
from adapters.tables.batches import batches as rows
from adapters.tables.batches import reruns
from adapters.tables.runs import receipts, runs
from domain.batches import AT_ONCE
from models.archive.archive import State
from models.errors import Refused, System
from models.runs.batch import BatchAction, BatchKind, BatchRow, ItemState
from models.runs.receipt import Cause, RunRow, RunState, Trigger
from models.said import verbatim
from models.views.archives.archives import ArchiveFilter
from models.views.batch import ItemQuery, RedeliveryFilter, RerunPlan
from models.views.parameters import PageQuery
from services.batches import batches
from tests.batches import fill, filled, receipt_id
from tests.conftest import Configure
from tests.installations import closed_url

FAILED = ArchiveFilter(state=State.FAILED)
NOW = datetime.now(UTC)
FIRST = "filled-000001"
LOCKED = Cause("KEY_AWAY", "persist-files", "Locked", verbatim("the key of the archive is not there"))


@pytest.fixture(autouse=True)
def without_prefect(installation: Settings, configure: Configure) -> None:
    assert installation
    configure(PREFECT_API_URL=closed_url())


def planned(chosen: ArchiveFilter = FAILED) -> BatchRow:
    return batches.plan(BatchKind.RERUN, chosen, "ann@host")


def frozen(chosen: ArchiveFilter = FAILED) -> str:
    row = planned(chosen)
    batches.freeze(row.id, "ann@host")
    return row.id


def plan_of(batch_id: str) -> RerunPlan:
    found = batches.view(batch_id).plan
    assert isinstance(found, RerunPlan)
    return found


def run(state: RunState, started_at: datetime, trigger: Trigger = Trigger.BULK, attempt: int = 1) -> RunRow:
    return RunRow(
        flow_run_id=f"run-{trigger}",
        attempt=attempt,
        reference=FIRST,
        receipt_id=receipt_id(FIRST),
        trigger=trigger,
        state=state,
        started_at=started_at,
    )


def test_plan_counts_states_causes_and_templates_and_freezes_nothing() -> None:
    fill([filled(1), filled(2), filled(3, cause="RUN_TIMEOUT")])
    fill([filled(4, State.COMPLETED), filled(5, State.PROCESSING)], template="permit")

    found = batches.view(planned(ArchiveFilter()).id)
    plan = plan_of(found.id)

    assert (found.state, found.by, found.planned, found.queued) == ("planned", "ann@host", 4, 0)
    assert plan.states == {"failed": 3, "completed": 1, "processing": 1}
    assert [(each.code, each.archives) for each in plan.causes] == [("STORE_AWAY", 2), ("RUN_TIMEOUT", 1)]
    assert [(each.template_id, each.archives) for each in plan.templates] == [("lease", 3), ("permit", 1)]
    assert (plan.complete, plan.on_their_way, plan.seconds) == (1, 1, None)


def test_time_of_a_plan_follows_from_single_runs() -> None:
    fill([filled(number) for number in (1, 2, 3)])
    with writing() as session:
        row = run(RunState.COMPLETED, NOW - timedelta(seconds=4), Trigger.WEBHOOK)
        row.ended_at = NOW
        session.add(row)

    found = plan_of(planned().id)

    assert (found.measured_runs, found.seconds) == (1, 3 * 4 / AT_ONCE)


def test_confirmed_list_has_what_the_plan_counted_and_still_matches_in_the_order_of_arrival() -> None:
    fill([filled(2), filled(1), filled(3, State.PROCESSING), filled(4, cause="RUN_TIMEOUT"), filled(5), filled(6)])
    row = planned(ArchiveFilter(state=State.FAILED, cause="STORE_AWAY"))
    soon = datetime.now(UTC) + timedelta(seconds=1)
    fill([filled(7, received_at=soon), filled(8, cause_since=soon)])
    receipts.set_state(receipt_id("filled-000005"), State.COMPLETED, datetime.now(UTC))

    asyncio.run(batches.confirm(row.id, "bob@host"))

    found = batches.record(row.id, ItemQuery())
    assert (found.state, found.planned, found.queued) == ("running", 3, 3)
    assert [each.subject for each in found.items] == [FIRST, "filled-000002", "filled-000006"]
    assert [(each.what, each.by) for each in found.actions] == [("planned", "ann@host"), ("confirmed", "bob@host")]


def test_plan_is_confirmed_only_once_and_is_done_at_once_if_nothing_matches() -> None:
    batch_id = frozen()
    found = batches.view(batch_id)
    assert (found.state, found.planned, found.ended_at is None) == ("done", 0, False)
    fill([filled(1)])

    for confirm_again in (batches.freeze, lambda *names: asyncio.run(batches.confirm(*names))):
        with pytest.raises(Refused) as refused:
            confirm_again(batch_id, "ann@host")
        assert (refused.value.code, refused.value.status) == ("WRONG_STATE", 409)
    assert batches.view(batch_id) == found


def test_batch_is_paused_resumed_and_aborted_and_the_record_says_by_whom() -> None:
    fill([filled(1)])
    batch_id = frozen()

    batches.change(BatchAction.PAUSE, batch_id, "bob@host")
    assert batches.view(batch_id).state == "paused"
    batches.change(BatchAction.RESUME, batch_id, "api")
    assert batches.view(batch_id).state == "running"
    batches.change(BatchAction.ABORT, batch_id, "prefect")

    found = batches.view(batch_id)
    assert (found.state, found.queued) == ("aborted", 1)
    acted = [(each.what, each.by) for each in found.actions[2:]]
    assert acted == [("paused", "bob@host"), ("resumed", "api"), ("aborted", "prefect")]
    with pytest.raises(Refused, match="this batch is aborted"):
        batches.change(BatchAction.RESUME, batch_id, "bob@host")
    for action in BatchAction:
        with pytest.raises(Refused) as refused:
            asyncio.run(batches.act(action, "nothing", "ann@host"))
        assert (refused.value.code, refused.value.status) == ("UNKNOWN_BATCH", 404)


def test_lists_are_read_page_by_page_and_by_kind() -> None:
    fill([filled(number) for number in range(5)])
    plans = [planned().id for _ in range(3)]
    redelivery = batches.plan(BatchKind.REDELIVER, RedeliveryFilter(), "ann@host").id
    batches.freeze(plans[0], "ann@host")

    first = batches.page(PageQuery(limit=2), BatchKind.RERUN)
    second = batches.page(PageQuery(limit=2, cursor=first.next), BatchKind.RERUN)
    items = batches.record(plans[0], ItemQuery(limit=3))
    rest = batches.record(plans[0], ItemQuery(limit=3, after=items.next or 0))

    assert [each.id for each in [*first.items, *second.items]] == plans[::-1]
    assert [each.id for each in batches.page(PageQuery(limit=1)).items] == [redelivery]
    assert second.next is None
    assert [each.position for each in [*items.items, *rest.items]] == [1, 2, 3, 4, 5]
    assert rest.next is None


@pytest.mark.parametrize("state", [State.FAILED, State.COMPLETED])
def test_started_archive_holds_its_place_unless_it_waits_or_takes_for_hours(state: State) -> None:
    fill([filled(1, state)])
    batch_id = frozen(ArchiveFilter(state=state))
    begun = {"receipt_id": receipt_id(FIRST), "started_at": NOW, "flow_run_id": "run-bulk"}
    started = [rows.change_items(batch_id, [1], ItemState.QUEUED, state=ItemState.STARTED, **begun) for _ in range(2)]
    assert (started, rows.counts(batch_id)) == ([1, 0], {ItemState.STARTED: 1})  # by one driver alone
    runs.begin(run(RunState.RUNNING, NOW))

    assert reruns.in_flight(NOW + timedelta(minutes=59)) == 1
    assert reruns.in_flight(NOW + timedelta(minutes=61)) == 0
    runs.wait("run-bulk", 1, System.KEY, NOW, LOCKED)
    assert reruns.in_flight(NOW + timedelta(minutes=4)) == 1
    assert reruns.in_flight(NOW + timedelta(minutes=6)) == 0
    runs.begin(run(RunState.RUNNING, NOW, attempt=2))
    assert reruns.in_flight(NOW + timedelta(minutes=6)) == 1
