"""`cellar worker` as real processes that run, are cancelled, stopped and killed, and lose their server."""

import ctypes
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from adapters.settings.settings import settings
from adapters.tables.runs import leases, receipts, task_results
from domain.messages.summaries import UNDELIVERED_TAG
from models.access import CELLAR
from services.views import archive_view
from tests.conftest import LONGEST_S, free_port, running, wait_until
from tests.flows import workers
from tests.flows.conftest import received
from tests.flows.workers import Downstream, create_run, living, run_of, state_of, wait_for, worker
from tests.installations import archive_of
from tests.samples import sample_body

pytestmark = pytest.mark.usefixtures("prefect")


def started(reference: str, *tags: str, body: bytes | None = None) -> str:
    """Create a recorded run of a new delivery. Without the record, the sweep of a starting worker creates another."""
    delivery = received(reference, body or sample_body(reference))
    flow_run_id = create_run(reference, delivery.receipt_id, *tags)
    receipts.set_triggered([delivery.delivery_id], flow_run_id)
    return flow_run_id


def held_up(reference: str) -> str:
    """Start a run that waits for its process until `let_go`."""
    leases.take([reference], "another", 300)
    flow_run_id = started(reference)
    wait_for(flow_run_id, "Running")
    wait_until(lambda: _state_in_our_history(reference) == "Running")
    return flow_run_id


def let_go(reference: str) -> None:
    leases.release([reference], "another")


def held_at_its_end(downstream: Downstream, reference: str) -> str:
    """Start a run that completes its archive and then waits for downstream: 15 s, as a Retry does for a person."""
    downstream.hold()
    asked = set(downstream.asked)  # a delayed message is sent again under the same id
    flow_run_id = started(reference, UNDELIVERED_TAG)
    wait_until(lambda: set(downstream.asked) > asked)
    return flow_run_id


def test_stopped_worker_hands_back_its_run_and_a_signal_to_any_thread_of_the_next_lets_a_run_end_in_time(
    downstream: Downstream,
) -> None:
    with worker("stopped") as process:
        flow_run_id = held_up("process-1")
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        assert process.wait(LONGEST_S) == 0, workers.log_of("stopped")
        assert state_of(flow_run_id) == "AwaitingRetry"
        assert (leases.claimed(), living()) == (set(), {})

    let_go("process-1")
    with worker("next") as process:
        wait_for(flow_run_id, "Completed")
        assert run_of(flow_run_id)["run_count"] == 2
        ends = held_at_its_end(downstream, "process-2")
        threads = {int(each.name) for each in Path(f"/proc/{process.pid}/task").iterdir()} - {process.pid}
        _send_to_thread(process.pid, max(threads), signal.SIGTERM)
        downstream.let_go()
        assert process.wait(LONGEST_S) == 0
        assert state_of(ends) == "Completed"
    log = workers.log_of("next")
    assert "Traceback" not in log
    assert "@" not in log
    assert living() == {}


@pytest.mark.faults  # drains for 8 s
@pytest.mark.usefixtures("downstream")
def test_stopped_worker_hands_back_a_run_that_does_not_end_in_time() -> None:
    with worker("stopped") as process:
        flow_run_id = held_up("process-1")
        process.send_signal(signal.SIGTERM)
        assert process.wait(LONGEST_S) == 0, workers.log_of("stopped")
    assert state_of(flow_run_id) == "AwaitingRetry"
    assert (leases.claimed(), living()) == (set(), {})


@pytest.mark.faults
@pytest.mark.usefixtures("downstream")
def test_starting_worker_creates_runs_for_deliveries_without_a_run() -> None:
    waiting = received("process-1", sample_body("process-1"), datetime.now(UTC) - timedelta(minutes=1))
    with worker("sweeping"):
        wait_until(lambda: receipts.get(waiting.receipt_id).state == "completed")


@pytest.mark.faults  # a worker counts as dead after 25 s
def test_living_worker_finishes_runs_of_a_killed_worker_beside_its_own(
    downstream: Downstream,
) -> None:
    with worker("alive"):
        alive = held_up("of-the-living")
        with worker("killed") as process:
            dead = _run_of_another(downstream, than=_holder(alive))
            process.kill()
            process.wait(LONGEST_S)
            downstream.let_go()
            let_go("of-the-living")
            wait_for(dead, "Completed")  # its message is claimed for 25 s

        wait_for(alive, "Completed")
        assert (run_of(alive)["run_count"], run_of(dead)["run_count"]) == (1, 2)
        wait_until(lambda: "Cached" in str(workers.task_states(dead)))
        states = workers.task_states(dead)
        assert [states[name][-1] for name in ("persist-files", "load-metadata", "reconcile-payments")] == ["Cached"] * 3
        assert "Running" not in states["notify-downstream"]
        wait_until(lambda: leases.claimed() == set())


@pytest.mark.faults
@pytest.mark.usefixtures("downstream")
def test_paused_worker_leaves_its_run_to_the_worker_that_recovered_it() -> None:
    """The worker is paused within a body. When it resumes, nothing informs it of the recovery."""
    with worker("paused") as paused:
        body = sample_body("process-1", signed_document={"content": "QUJD" * (25 << 20)})
        flow_run_id = started("process-1", body=body)
        spool = Path(settings().store_location) / "spool"
        while not any(each.stat().st_size for each in spool.rglob("*.part")):
            assert state_of(flow_run_id) != "Completed"
        paused.send_signal(signal.SIGSTOP)
        with worker("heir"):
            wait_for(flow_run_id, "Completed")
            paused.send_signal(signal.SIGCONT)
            wait_until(lambda: "taken for dead" in workers.log_of("paused"))
            wait_until(lambda: list(spool.iterdir()) == [])
            wait_until(lambda: leases.claimed() == set())

        assert (state_of(flow_run_id), run_of(flow_run_id)["run_count"]) == ("Completed", 2)
        archive = archive_of("process-1")
        assert (archive.state, len(archive.versions)) == ("completed", 1)
        assert [each.state for each in archive.runs] == ["Crashed", "Completed"]
    assert "Traceback" not in workers.log_of("paused")


@pytest.mark.faults
@pytest.mark.usefixtures("downstream")
def test_sole_worker_takes_over_runs_at_once() -> None:
    with worker("killed") as process:
        flow_run_id = held_up("process-1")
        process.kill()
        process.wait(LONGEST_S)
    let_go("process-1")

    with worker("next", "--sole"):
        wait_for(flow_run_id, "Completed", timeout_s=15)


@pytest.mark.faults
def test_run_that_ended_during_an_outage_of_prefect_becomes_completed(downstream: Downstream) -> None:
    """The server stops while the run is at its last task."""
    port = free_port()
    way = [sys.executable, "-m", "tests.relay", str(port), settings().prefect_url.split(":")[2].partition("/")[0]]
    environment = {"PYTHONPATH": str(workers.ROOT)}
    log = settings().data_dir / "relay.log"
    with running(way, environment, log) as relay:
        wait_until(lambda: _listens(port))
        with worker("cut-off", prefect_url=f"http://127.0.0.1:{port}/api"):
            flow_run_id = held_at_its_end(downstream, "process-1")
            relay.kill()
            relay.wait(LONGEST_S)
            downstream.let_go()
            wait_until(lambda: _state_in_our_history("process-1") == "Completed")
            assert state_of(flow_run_id) != "Completed"

            with running(way, environment, log):
                wait_for(flow_run_id, "Completed")


@pytest.mark.faults
@pytest.mark.usefixtures("downstream")
def test_worker_with_its_log_on_a_full_disk_survives_an_outage_of_prefect() -> None:
    port = free_port()
    way = [sys.executable, "-m", "tests.relay", str(port), settings().prefect_url.split(":")[2].partition("/")[0]]
    environment = {"PYTHONPATH": str(workers.ROOT)}
    log = settings().data_dir / "relay.log"
    with running(way, environment, log) as relay:
        wait_until(lambda: _listens(port))
        with worker("unheard", prefect_url=f"http://127.0.0.1:{port}/api", output=Path("/dev/full")) as process:
            relay.kill()
            relay.wait(LONGEST_S)
            # The worker polls every 0.5 s, each failed poll logs a warning, and a beat comes every 5 s.
            (seen,) = living().values()
            wait_until(lambda: max(living().values()) >= seen + timedelta(seconds=10))

            with running(way, environment, log):
                wait_for(started("process-1"), "Completed")
            assert process.poll() is None


@pytest.mark.usefixtures("downstream")
def test_runs_that_wait_for_their_process_take_no_slots_and_a_run_that_a_person_cancels_is_not_started_again() -> None:
    with worker("one-at-a-time"):
        first = held_up("busy")
        others = [create_run("busy") for _ in range(16)]
        elsewhere = started("elsewhere")
        wait_for(elsewhere, "Completed")
        assert {state_of(each) for each in others} <= {"Scheduled", "Late"}

        let_go("busy")
        for each in (first, *others):
            wait_for(each, "Completed")

        cancelled = held_up("process-1")
        workers.set_state(cancelled, "CANCELLING")
        wait_for(cancelled, "Cancelled")
        assert [each.state for each in archive_of("process-1").runs] == ["Cancelled"]
        wait_until(lambda: leases.claimed() == set())


@pytest.mark.faults
def test_two_workers_execute_each_run_of_a_burst_once(downstream: Downstream) -> None:
    """Both workers see the same due runs, and Prefect would accept a Completed run a second time."""
    with worker("one"), worker("other"):
        references = [f"process-{number}" for number in range(50)]
        flow_run_ids = [started(each) for each in references]
        for each in flow_run_ids:
            wait_for(each, "Completed")
        assert {run_of(each)["run_count"] for each in flow_run_ids} == {1}
        assert len(downstream.asked) == len(references)


@pytest.mark.faults
def test_stock_worker_serves_the_same_deployment(downstream: Downstream) -> None:
    with worker("first"):  # creates pool and deployment
        pass
    with workers.stock_worker("stock"):
        by_stock = started("process-1")
        wait_for(by_stock, "Completed")
        with worker("beside"):
            both = [started(f"process-{n}") for n in range(2, 12)]
            for each in both:
                wait_for(each, "Completed")
            assert {run_of(each)["run_count"] for each in both} == {1}
            wait_until(lambda: task_results.flow_run_ids() == set())


@pytest.mark.faults
def test_run_that_waits_in_a_stock_worker_is_tried_again(downstream: Downstream) -> None:
    """Prefect's own worker takes a process that ends before its run is over for crashed."""
    with worker("first"):
        pass
    store_folder = Path(settings().store_location)
    store_folder.mkdir(parents=True, exist_ok=True)
    aside = store_folder.rename(store_folder.with_name("aside"))
    store_folder.touch()
    with workers.stock_worker("stock"):
        flow_run_id = started("process-1")
        wait_for(flow_run_id, "AwaitingRetry", "Crashed")
        store_folder.unlink()
        aside.rename(store_folder)
        wait_for(flow_run_id, "Completed")
        assert "Crashed" not in _states_of(flow_run_id)


def _send_to_thread(process_id: int, thread_id: int, number: signal.Signals) -> None:
    if ctypes.CDLL(None, use_errno=True).tgkill(process_id, thread_id, number):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _states_of(flow_run_id: str) -> list[str]:
    asked = {"flow_run_id": flow_run_id}
    found = httpx.get(f"{settings().prefect_url}/flow_run_states/", params=asked, timeout=LONGEST_S).raise_for_status()
    return [each["name"] for each in found.json()]


def _run_of_another(downstream: Downstream, than: str) -> str:
    """Return a run that another worker executes and that waits for downstream. Chance decides which worker takes it."""
    for number in range(20):
        flow_run_id = held_at_its_end(downstream, f"process-{number}")
        if _holder(flow_run_id) != than:
            return flow_run_id
    raise AssertionError("one worker took them all")


def _holder(flow_run_id: str) -> str:
    return next(worker_id for worker_id in living() if flow_run_id in leases.held_by(worker_id))


def _state_in_our_history(reference: str) -> str | None:
    archive = archive_view.archive(reference, CELLAR)
    return archive.runs[-1].state if archive and archive.runs else None


def _listens(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/api/health", timeout=LONGEST_S).is_success
    except httpx.HTTPError:
        return False
