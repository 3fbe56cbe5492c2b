"""Plans and confirmations of bulk re-runs, on both databases. Prefect does not answer."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from adapters.database.transactions import writing
from adapters.settings.settings import Settings
from adapters.tables.bulk import bulk_items
from adapters.tables.runs import receipts
from domain.bulk.decisions import AT_ONCE
from models.archive.archive import State
from models.errors import Refused
from models.runs.bulk import ItemState
from models.runs.run import RunRow, RunState, Trigger
from models.views.archives.archives import ArchiveFilter
from models.views.bulk import ItemQuery
from models.views.parameters import PageQuery
from services.bulk import control, planning, records
from tests.bulk import fill, filled, receipt_id
from tests.installations import closed_url

FAILED = ArchiveFilter(state=State.FAILED)


@pytest.fixture(autouse=True)
def without_prefect(installation: Settings, configure: Callable[..., Settings]) -> None:
    assert installation
    configure(PREFECT_API_URL=closed_url())


def references(bulk_id: str) -> list[str]:
    return [each.reference for each in records.record(bulk_id, ItemQuery(limit=500)).items]


def test_plan_counts_states_causes_and_templates_and_freezes_nothing() -> None:
    fill([filled(1), filled(2), filled(3, cause="RUN_TIMEOUT")])
    fill([filled(4, State.COMPLETED), filled(5, State.PROCESSING)], template="permit")

    found = records.view(planning.plan(ArchiveFilter(), "ann@host").id)

    assert (found.state, found.by, found.planned, found.queued) == ("planned", "ann@host", 4, 0)
    assert found.plan.states == {"failed": 3, "completed": 1, "processing": 1}
    assert [(each.code, each.archives) for each in found.plan.causes] == [("STORE_AWAY", 2), ("RUN_TIMEOUT", 1)]
    assert [(each.template_id, each.archives) for each in found.plan.templates] == [("lease", 3), ("permit", 1)]
    assert (found.plan.complete, found.plan.on_their_way, found.plan.seconds) == (1, 1, None)


def test_time_of_a_plan_follows_from_single_runs_and_not_from_imports() -> None:
    fill([filled(number) for number in (1, 2, 3)])
    ended_at = datetime.now(UTC)
    took_s = {Trigger.WEBHOOK: 4, Trigger.IMPORT: 60}
    with writing() as session:
        for trigger, seconds in took_s.items():
            run = RunRow(
                flow_run_id=f"run-{trigger}",
                attempt=1,
                reference="filled-000001",
                receipt_id=receipt_id("filled-000001"),
                trigger=trigger,
                state=RunState.COMPLETED,
                started_at=ended_at - timedelta(seconds=seconds),
                ended_at=ended_at,
            )
            session.add(run)

    found = records.view(planning.plan(FAILED, "ann@host").id).plan

    assert (found.measured_runs, found.seconds) == (1, 3 * 4 / AT_ONCE)


def test_confirmed_list_has_the_archives_in_the_order_of_arrival() -> None:
    fill([filled(2), filled(1), filled(3, State.PROCESSING), filled(4, cause="RUN_TIMEOUT")])
    plan = planning.plan(ArchiveFilter(state=State.FAILED, cause="STORE_AWAY"), "ann@host")

    asyncio.run(planning.confirm(plan.id, "bob@host"))

    found = records.record(plan.id, ItemQuery())
    assert (found.state, found.planned, found.queued) == ("running", 2, 2)
    assert [each.reference for each in found.items] == ["filled-000001", "filled-000002"]
    assert [(each.what, each.by) for each in found.actions] == [("planned", "ann@host"), ("confirmed", "bob@host")]


def test_archives_that_fail_or_arrive_after_the_plan_are_not_in_the_list() -> None:
    fill([filled(1), filled(2, State.PROCESSING)])
    plan = planning.plan(FAILED, "ann@host")
    soon = datetime.now(UTC) + timedelta(seconds=1)
    fill([filled(3, received_at=soon), filled(4, cause_since=soon)])

    planning.freeze(plan.id, "ann@host")

    assert references(plan.id) == ["filled-000001"]


def test_archives_completed_between_plan_and_confirmation_are_not_in_the_list() -> None:
    fill([filled(1), filled(2)])
    plan = planning.plan(FAILED, "ann@host")
    receipts.set_state(receipt_id("filled-000001"), State.COMPLETED, datetime.now(UTC))

    planning.freeze(plan.id, "ann@host")

    assert references(plan.id) == ["filled-000002"]


def test_plan_is_confirmed_only_once() -> None:
    fill([filled(1)])
    plan = planning.plan(FAILED, "ann@host")
    planning.freeze(plan.id, "ann@host")

    with pytest.raises(Refused) as refused:
        planning.freeze(plan.id, "ann@host")

    assert (refused.value.code, refused.value.status) == ("WRONG_STATE", 409)
    assert references(plan.id) == ["filled-000001"]


def test_confirmed_plan_without_archives_is_done() -> None:
    plan = planning.plan(FAILED, "ann@host")

    asyncio.run(planning.confirm(plan.id, "ann@host"))

    found = records.view(plan.id)
    assert (found.state, found.planned) == ("done", 0)
    assert found.ended_at


def test_bulk_re_run_is_paused_resumed_and_aborted_and_the_record_says_by_whom() -> None:
    fill([filled(1)])
    plan = planning.plan(FAILED, "ann@host")
    planning.freeze(plan.id, "ann@host")

    control.pause(plan.id, "bob@host")
    assert records.view(plan.id).state == "paused"
    control.resume(plan.id, "api")
    assert records.view(plan.id).state == "running"
    control.abort(plan.id, "prefect")

    found = records.view(plan.id)
    assert (found.state, found.queued) == ("aborted", 1)
    assert [(each.what, each.by) for each in found.actions[2:]] == [
        ("paused", "bob@host"),
        ("resumed", "api"),
        ("aborted", "prefect"),
    ]
    with pytest.raises(Refused, match="this bulk re-run is aborted"):
        control.resume(plan.id, "bob@host")


def test_unknown_bulk_re_run_is_refused() -> None:
    for act in (control.pause, control.resume, control.abort, planning.freeze):
        with pytest.raises(Refused) as refused:
            act("nothing", "ann@host")
        assert (refused.value.code, refused.value.status) == ("UNKNOWN_BULK_RERUN", 404)


def test_lists_are_read_page_by_page() -> None:
    fill([filled(number) for number in range(5)])
    plans = [planning.plan(FAILED, "ann@host").id for _ in range(3)]
    planning.freeze(plans[0], "ann@host")

    first = records.page(PageQuery(limit=2))
    second = records.page(PageQuery(limit=2, cursor=first.next))
    items = records.record(plans[0], ItemQuery(limit=3))
    rest = records.record(plans[0], ItemQuery(limit=3, after=items.next or 0))

    assert [each.id for each in [*first.items, *second.items]] == plans[::-1]
    assert second.next is None
    assert [each.position for each in [*items.items, *rest.items]] == [1, 2, 3, 4, 5]
    assert rest.next is None


def test_only_one_driver_starts_a_queued_archive() -> None:
    fill([filled(1)])
    plan = planning.plan(FAILED, "ann@host")
    planning.freeze(plan.id, "ann@host")

    started = [bulk_items.mark_started(plan.id, 1, receipt_id("filled-000001"), datetime.now(UTC)) for _ in range(2)]

    assert started == [True, False]
    assert bulk_items.counts(plan.id) == {ItemState.STARTED: 1}
