"""Triggering: every delivery is registered and gets one run, however often it is triggered."""

import asyncio
import hashlib
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Crashed, Failed
from pytest_httpserver import HTTPServer
from sqlalchemy import event
from werkzeug import Request, Response

from adapters.database.connections import engine
from adapters.files.store import store
from adapters.inbox import inbox
from adapters.settings.settings import settings
from adapters.store import ocfl
from adapters.store.objects import history
from adapters.tables.runs import receipts, runs
from models.access import CELLAR
from models.archive.archive import State as ArchiveState
from models.archive.archive import State as Stands
from models.errors import Conflict, Transient
from models.runs.receipt import DEFAULT_SOURCE, Delivery, Identity, RunState, Trigger
from services.custody.objects import object_of
from services.custody.verifying import verify_object
from services.processing.persisting import persist
from services.receipts import leave_inbox
from services.triggering import refused
from services.triggering.trigger import forgotten, start_run, together, trigger, untriggered
from services.views import archive_view
from tests.conftest import LONGEST_S, Configure
from tests.installations import archive_of, archived, finished, taken_in
from tests.records import NOON, run_row
from tests.samples import sample_body

SKELETON_OF_R = f"{ocfl.object_key('r')}/v1/content/skeleton.json"
A_DELIVERY = Delivery("0", "a", "r", NOON, 2, {})
pytestmark = pytest.mark.usefixtures("deployment", "sqlite_installation")


@pytest.fixture
def body() -> bytes:
    """Return a body that the session's Prefect server has never seen."""
    return sample_body("r", note=uuid4().hex)


def arrived(body: bytes, *, minute: float = 0, source: str = DEFAULT_SOURCE) -> Delivery:
    return _arrived(body, NOON + timedelta(minutes=minute), source)


def _arrived(body: bytes, at: datetime, source: str = DEFAULT_SOURCE) -> Delivery:
    return taken_in(body).accept(Identity("r"), at, {}, source)


def triggered(delivery: Delivery, why: Trigger = Trigger.WEBHOOK) -> str | None:
    """Trigger a delivery, and return its run."""
    asyncio.run(trigger(delivery, why))
    return receipts.register_all([delivery])[0].flow_run_id


def recorded(flow_run_id: str, delivery: Delivery, state: RunState | None) -> None:
    """Record a run, as the flow does, and its end if `state` is given."""
    runs.begin(run_row(flow_run_id, delivery.receipt_id))
    if state:
        runs.end(flow_run_id, 1, state, Stands.FAILED, NOON)


def run_of(delivery: Delivery, why: Trigger = Trigger.WEBHOOK) -> str:
    found = triggered(delivery, why)
    assert found
    return found


async def set_state(flow_run_id: str, state: State[Any]) -> None:
    async with PrefectClient(settings().prefect_url) as client:
        await client.set_flow_run_state(UUID(flow_run_id), state, force=True)


async def delete_run(flow_run_id: str) -> None:
    async with PrefectClient(settings().prefect_url) as client:
        await client.delete_flow_run(UUID(flow_run_id))


def waiting() -> list[str]:
    return [each.name for each in (Path(settings().inbox_location) / "waiting").iterdir()]


def completed(delivery: Delivery) -> None:
    """Complete a receipt but leave it in the inbox, as if its run was killed before the removal."""
    receipts.set_state(delivery.receipt_id, ArchiveState.COMPLETED, NOON)


@contextmanager
def counted(httpserver: HTTPServer, configure: Configure) -> Iterator[list[str]]:
    """Yield a log of the requests to Prefect, by way of a proxy, and of the queries to the database."""
    prefect_url, log = settings().prefect_url, list[str]()

    def pass_on(request: Request) -> Response:
        log.append(request.path)
        url = prefect_url + request.path.removeprefix("/api")
        answer = httpx.request(
            request.method, url, content=request.data, headers={"content-type": "application/json"}, timeout=LONGEST_S
        )
        return Response(answer.content, answer.status_code, content_type="application/json")

    httpserver.expect_request(re.compile(".*")).respond_with_handler(pass_on)
    configure(PREFECT_API_URL=httpserver.url_for("/api"))
    event.listen(engine(), "before_cursor_execute", lambda *args: log.append(args[2].split()[0]))
    yield log


def test_delivery_is_registered_and_gets_a_run_once_which_further_deliveries_of_its_body_share(body: bytes) -> None:
    delivery = arrived(body)

    first = run_of(delivery)

    before = archive_of("r")
    assert [(each.receipt_id, each.outcome) for each in before.deliveries] == [(delivery.receipt_id, "new")]
    assert len(waiting()) == 2
    assert triggered(delivery, Trigger.SWEEP) == first
    assert archive_view.archive("r", CELLAR) == before
    again = [arrived(body, minute=minute) for minute in (1, 2, 3)]
    assert triggered(again[0]) == first
    assert asyncio.run(trigger(again[1], Trigger.SWEEP, again[2:]))
    assert {receipts.register_all([each])[0].flow_run_id for each in again} == {first}
    assert not asyncio.run(trigger(delivery, Trigger.SWEEP, again))


def test_delivery_whose_trigger_was_killed_gets_the_existing_run(body: bytes) -> None:
    """The trigger was killed after it created the run and before it recorded the run of the delivery."""
    delivery = arrived(body)
    receipts.register_all([delivery])
    made = asyncio.run(start_run("r", delivery.receipt_id, Trigger.WEBHOOK))

    assert triggered(delivery, Trigger.SWEEP) == made.flow_run_id


def kept(body: bytes) -> str:
    """Complete an archive, which leaves the inbox. Return its run."""
    first = arrived(body)
    run = run_of(first)
    recorded(run, first, RunState.COMPLETED)
    asyncio.run(set_state(run, Completed()))
    persist("r", first.receipt_id)
    completed(first)
    leave_inbox(first.receipt_id)
    assert waiting() == []
    return run


def test_version_that_a_person_accepts_gets_a_run_and_leaves_the_inbox_after_it(body: bytes) -> None:
    archived("r", sample_body("r"), NOON)
    foreign = archived("r", body, NOON + timedelta(minutes=1), source="other")
    assert triggered(arrived(body, minute=2, source="other")) is None
    assert waiting() == []

    refused.accept("r", foreign, "Dana")
    [accepted] = inbox.deliveries()

    run = run_of(accepted)
    assert triggered(accepted, Trigger.SWEEP) == run
    assert len(waiting()) == 2
    finished("r", foreign)
    assert waiting() == []
    assert triggered(arrived(body, minute=3)) is None


def test_process_that_a_person_gives_away_gets_a_run_also_where_both_sources_sent_one_body(body: bytes) -> None:
    receipt_id = archived("r", body, NOON)
    assert triggered(arrived(body, minute=1, source="other")) is None

    refused.accept("r", receipt_id, "Dana", gives_to="other")
    [given] = inbox.deliveries()

    run = run_of(given)
    assert triggered(given, Trigger.SWEEP) == run
    finished("r", receipt_id)
    assert (archive_of("r").source, waiting(), verify_object(object_of("r")).findings) == ("other", [], ())
    assert triggered(arrived(body, minute=3)) is None


def test_duplicate_of_a_complete_receipt_leaves_the_inbox_and_costs_as_much_after_200_as_before(body: bytes) -> None:
    kept(body)
    few = _calls_of([arrived(body, minute=minute) for minute in (1, 2)])
    many = [arrived(body, minute=3 + number) for number in range(200)]
    assert _calls_of(many) < 200 * few

    assert waiting() == []
    assert _calls_of([arrived(body, minute=minute) for minute in (301, 302)]) == few
    archive = archive_of("r", archive_view.WHOLE)
    assert Counter(each.outcome for each in archive.deliveries) == {"new": 1, "duplicate": 204}
    assert (archive.state, len(archive.runs)) == ("completed", 1)
    rows = history.kept_rows(f"{ocfl.object_key('r')}/{history.path_of(hashlib.sha256(body).hexdigest())}")
    assert rows
    assert len(rows["delivery"]) == 205


def _calls_of(deliveries: list[Delivery]) -> int:
    """Trigger deliveries of one receipt together, and return how many files were removed or replaced for it."""
    calls = 0

    def count(name: str, _arguments: tuple[object, ...]) -> None:
        nonlocal calls
        calls += counting and name in {"os.remove", "os.rename"}

    counting = True
    sys.addaudithook(count)
    for group in together(deliveries):
        asyncio.run(trigger(group[0], Trigger.SWEEP, group[1:]))
    counting = False
    return calls


def test_deliveries_are_grouped_by_receipt_in_the_order_of_the_first_ones() -> None:
    receipts_of = ["a", "b", "a", *["c"] * 1_001, "b"]
    deliveries = [replace(A_DELIVERY, delivery_id=str(at), receipt_id=each) for at, each in enumerate(receipts_of)]

    a, b, *c = [[int(each.delivery_id) for each in group] for group in together(deliveries)]

    assert (a, b, c) == ([0, 2], [1, 1004], [list(range(3, 1003)), [1003]])


def test_sweep_does_not_restart_a_cancelled_run_and_leaves_the_re_run_of_a_person_alone(body: bytes) -> None:
    delivery = arrived(body)
    run = run_of(delivery)
    asyncio.run(set_state(run, Cancelled()))

    assert asyncio.run(forgotten()) == [delivery]
    assert triggered(delivery, Trigger.SWEEP) == run
    assert receipts.get(delivery.receipt_id).state == "failed"
    assert asyncio.run(forgotten()) == []
    assert triggered(delivery, Trigger.SWEEP) == run
    again = asyncio.run(start_run("r", delivery.receipt_id, Trigger.RERUN))
    assert asyncio.run(forgotten()) == [delivery]
    triggered(delivery, Trigger.SWEEP)
    assert receipts.get(delivery.receipt_id).state == "received"
    assert asyncio.run(start_run("r", delivery.receipt_id, Trigger.RERUN)) == again


@pytest.mark.parametrize("end", [Failed(), Cancelled()], ids=["failed", "cancelled"])
def test_failed_or_cancelled_receipt_delivered_again_starts_a_new_attempt(body: bytes, end: State[Any]) -> None:
    first = arrived(body)
    run = run_of(first)
    asyncio.run(set_state(run, end))
    if end.is_failed():
        recorded(run, first, RunState.FAILED)
        receipts.set_state(first.receipt_id, ArchiveState.FAILED, NOON)
    else:
        triggered(first, Trigger.SWEEP)

    second = triggered(arrived(body, minute=1))

    assert second != run
    assert receipts.get(first.receipt_id).state == "received"
    assert triggered(arrived(body, minute=2)) == second


def test_run_of_a_killed_worker_is_replaced(body: bytes) -> None:
    """Prefect knows that it crashed, but our history has it running."""
    delivery = arrived(body)
    run = run_of(delivery)
    recorded(run, delivery, None)
    asyncio.run(set_state(run, Crashed()))

    again = asyncio.run(start_run("r", delivery.receipt_id, Trigger.RERUN))

    assert again.flow_run_id != run
    archive = archive_of("r")
    assert [(each.flow_run_id, each.state) for each in archive.runs] == [(run, "Crashed")]


def test_delivery_stays_registered_for_the_sweep_while_prefect_is_down(
    configure: Configure, body: bytes, deployment: str
) -> None:
    delivery = arrived(body)
    configure(PREFECT_API_URL="http://127.0.0.1:1/api")
    with pytest.raises(Transient):
        asyncio.run(trigger(delivery, Trigger.WEBHOOK))
    assert list(inbox.deliveries()) == [delivery]
    assert receipts.get(delivery.receipt_id).state == "received"

    configure(PREFECT_API_URL=deployment)

    assert triggered(delivery, Trigger.SWEEP)


def test_unregistered_delivery_stays_in_the_inbox_when_its_receipt_leaves(body: bytes) -> None:
    first = arrived(body)
    receipts.register_all([first])
    second = arrived(body, minute=1)

    leave_inbox(first.receipt_id)

    assert list(inbox.deliveries()) == [second]


def ending_at_once(httpserver: HTTPServer, configure: Configure) -> None:
    """Let Prefect report each run as ended."""
    configure(PREFECT_API_URL=httpserver.url_for("/api"))
    ended = {"id": str(uuid4()), "state": {"name": "Crashed", "type": "CRASHED"}}
    httpserver.expect_request("/api/flow_runs/filter").respond_with_json([])
    httpserver.expect_request("/api/deployments/name/process-archive/archive").respond_with_json({"id": "d"})
    httpserver.expect_request("/api/deployments/d/create_flow_run").respond_with_json(ended)


def test_receipt_whose_runs_always_end_unrecorded_is_a_conflict(
    configure: Configure, httpserver: HTTPServer, body: bytes
) -> None:
    delivery = arrived(body)
    receipts.register_all([delivery])
    ending_at_once(httpserver, configure)

    with pytest.raises(Conflict):
        asyncio.run(start_run("r", delivery.receipt_id, Trigger.RERUN))

    keys = {json.loads(request.data)["idempotency_key"] for request, _ in httpserver.log if request.data}
    assert keys == {f"{delivery.receipt_id}:{attempt}" for attempt in range(1, 101)}
    assert not asyncio.run(trigger(delivery, Trigger.SWEEP))


def test_untriggered_lists_deliveries_without_a_run_or_complete_oldest_first(body: bytes) -> None:
    """A receiver's clock may be an hour ahead."""
    with_run, failed, done, registered, new = (arrived(body + b"%d" % each, minute=-each) for each in range(5))
    for delivery in (with_run, failed, done):
        assert triggered(delivery)
    receipts.set_state(failed.receipt_id, ArchiveState.FAILED, NOON)
    completed(done)
    again = arrived(body + b"1", minute=1)
    receipts.register_all([registered, again])
    now = datetime.now(UTC)
    just_now, ahead = (_arrived(body + b"now", now + each) for each in (timedelta(), timedelta(hours=1)))

    assert asyncio.run(untriggered()) == [new, registered, done, again, ahead]
    assert asyncio.run(untriggered({new.delivery_id}, even_new=True)) == [registered, done, again, just_now, ahead]


def test_record_that_the_disk_does_not_read_delays_no_other(body: bytes) -> None:
    (Path(settings().inbox_location) / "waiting" / "0.json").mkdir(parents=True)
    (Path(settings().inbox_location) / "quarantine" / "0.json").mkdir(parents=True)
    delivery = arrived(body)

    assert asyncio.run(untriggered()) == [delivery]
    assert asyncio.run(refused.list_all_refused()) == 0


def damaged(body: bytes) -> str:
    """Complete an archive and damage it in the store. Return its run."""
    run = kept(body)
    assert ocfl.inventory("r")
    store().overwrite_bytes(b"damaged", SKELETON_OF_R)
    return run


def test_file_that_the_store_cannot_read_holds_up_no_other_delivery(body: bytes) -> None:
    """The store works, but one file in it is no file: the run of its delivery says so, and the sweep goes on."""
    run = damaged(body)
    unreadable = Path(settings().store_location) / SKELETON_OF_R
    unreadable.unlink()
    unreadable.mkdir()

    mending = triggered(arrived(body, minute=1), Trigger.SWEEP)

    assert mending not in (None, run)


def test_duplicate_of_a_damaged_receipt_starts_runs_until_a_run_repairs_it_or_fails(
    body: bytes,
) -> None:
    run = damaged(body)
    again = arrived(body, minute=1)
    mending = triggered(again)

    assert mending not in (None, run)
    assert len(waiting()) == 2
    assert not asyncio.run(trigger(again, Trigger.SWEEP))
    assert receipts.register_all([again])[0].flow_run_id == mending

    asyncio.run(set_state(mending or "", Crashed()))
    another = triggered(again, Trigger.SWEEP)
    assert another not in (None, run, mending)

    recorded(another or "", again, RunState.FAILED)
    asyncio.run(set_state(another or "", Failed()))
    assert [triggered(again, Trigger.SWEEP) for _ in range(2)] == [another, another]
    assert len(waiting()) == 2


def test_new_delivery_beside_one_whose_repair_has_failed_starts_another_run(body: bytes) -> None:
    run = damaged(body)
    old, new = arrived(body, minute=1), arrived(body, minute=2)
    failed = run_of(old)
    recorded(failed, old, RunState.FAILED)
    asyncio.run(set_state(failed, Failed()))
    assert not asyncio.run(trigger(old, Trigger.SWEEP))

    assert asyncio.run(trigger(old, Trigger.SWEEP, [new]))

    assert receipts.register_all([new])[0].flow_run_id not in (None, run, failed)


def test_forgotten_lists_deliveries_whose_run_ended_or_is_unknown_and_the_sweep_restarts_them(
    body: bytes,
) -> None:
    deliveries = [arrived(body + b"%d" % each, minute=-each) for each in range(6)]
    alive, crashed, deleted, failed, done, _without_run = deliveries
    of = {delivery.delivery_id: triggered(delivery) or "" for delivery in deliveries[:-1]}
    asyncio.run(set_state(of[crashed.delivery_id], Crashed()))
    for delivery in (failed, done):
        asyncio.run(set_state(of[delivery.delivery_id], Failed()))
    asyncio.run(delete_run(of[deleted.delivery_id]))
    receipts.set_state(failed.receipt_id, ArchiveState.FAILED, NOON)
    completed(done)

    assert asyncio.run(forgotten()) == [deleted, crashed]
    assert [asyncio.run(trigger(each, Trigger.SWEEP)) for each in (deleted, crashed, alive)] == [True, True, False]
    assert asyncio.run(forgotten()) == []


def test_hundreds_of_waiting_deliveries_cost_two_queries_and_two_requests(
    configure: Configure, httpserver: HTTPServer, body: bytes
) -> None:
    async def all_triggered() -> list[bool]:
        return [await trigger(arrived(body + b"%d" % each), Trigger.WEBHOOK) for each in range(210)]

    assert all(asyncio.run(all_triggered()))

    with counted(httpserver, configure) as log:
        assert asyncio.run(untriggered()) == []
        assert [each for each in log if each not in {"BEGIN", "PRAGMA"}] == ["SELECT"]
        log.clear()
        assert asyncio.run(forgotten()) == []
        assert [each for each in log if each not in {"BEGIN", "PRAGMA"}] == ["SELECT", *["/api/flow_runs/filter"] * 2]


@pytest.mark.parametrize("find", [untriggered, forgotten])
def test_sweep_without_a_database_is_transient(configure: Configure, body: bytes, find: Callable[[], Any]) -> None:
    arrived(body)
    configure(database_url="postgresql://nobody@127.0.0.1:1/cellar")

    with pytest.raises(Transient):
        asyncio.run(find())


def test_history_has_a_run_that_completes_before_its_delivery_records_it(
    configure: Configure, httpserver: HTTPServer, body: bytes
) -> None:
    """The worker was faster than Prefect's answer."""
    delivery = arrived(body)
    receipts.register_all([delivery])
    persist("r", delivery.receipt_id)
    configure(PREFECT_API_URL=httpserver.url_for("/api"))
    httpserver.expect_request("/api/deployments/name/process-archive/archive").respond_with_json({"id": "d"})

    def end_it(_request: Request) -> Response:
        completed(delivery)
        history.keep("r", delivery.receipt_id)
        return Response(json.dumps({"id": "run-1", "state": {"name": "Running", "type": "RUNNING"}}))

    httpserver.expect_request("/api/deployments/d/create_flow_run").respond_with_handler(end_it)

    assert asyncio.run(trigger(delivery, Trigger.WEBHOOK))

    (row,) = history.found_rows(f"{ocfl.object_key('r')}/{history.path_of(delivery.receipt_id)}")["delivery"]
    assert row["flow_run_id"] == "run-1"


def test_run_that_completes_while_it_is_requested_is_not_repeated(body: bytes) -> None:
    """The state was read before Prefect answered. Only a rerun starts another run."""
    delivery = arrived(body)
    flow_run_id = run_of(delivery)
    recorded(flow_run_id, delivery, None)
    completed(delivery)
    asyncio.run(set_state(flow_run_id, Completed()))

    swept = asyncio.run(start_run("r", delivery.receipt_id, Trigger.SWEEP))
    again = asyncio.run(start_run("r", delivery.receipt_id, Trigger.RERUN))

    assert swept.flow_run_id == flow_run_id
    assert again.flow_run_id != flow_run_id
