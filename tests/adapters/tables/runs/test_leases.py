"""Leases: one run works on a process, one worker executes a run, and what a dead holder had passes to another."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from uuid import uuid4

import pytest
from sqlmodel import select

from adapters.database.transactions import writing
from adapters.settings.settings import settings
from adapters.tables.runs import leases
from models.runs.receipt import LeaseRow
from tests.conftest import LONGEST_S
from tests.records import all_of

pytestmark = pytest.mark.usefixtures("installation")


def take(reference: str, holder: str, lasts_s: float = 30) -> bool:
    return leases.take([reference], holder, lasts_s) == {reference}


def test_lease_has_one_holder_until_it_is_released() -> None:
    assert take("r", "one")
    assert leases.take(["r", "another"], "other", 30) == {"another"}

    leases.release(["r"], "one")

    assert take("r", "other")


def test_holder_renews_its_lease() -> None:
    take("r", "run-1:1")
    first = leases.expiry("run-1")

    assert take("r", "run-1:1")

    renewed = leases.expiry("run-1")
    assert first
    assert renewed
    assert first < renewed < first + timedelta(seconds=30)
    assert not take("r", "other")


def test_lease_of_a_dead_holder_passes_to_the_next_whom_a_late_release_does_not_disturb() -> None:
    take("r", "dead", -0.001)

    assert take("r", "next")
    leases.release(["r"], "dead")
    assert not take("r", "dead")


@pytest.mark.parametrize("expired", [False, True], ids=["none yet", "one expired"])
def test_exactly_one_of_many_concurrent_holders_gets_the_lease(expired: bool) -> None:
    start = Barrier(6)

    def is_taken(number: int) -> bool:
        start.wait(LONGEST_S)
        return take(reference, f"holder {number}")

    with ThreadPoolExecutor(6) as holders:
        for reference in map(str, range(5)):
            if expired:
                take(reference, "dead", -3600)
            assert list(holders.map(is_taken, range(6))).count(True) == 1


def test_run_is_claimed_by_one_worker_until_it_drops_it() -> None:
    assert leases.claim(["run-1", "run-2"], "one", 30) == {"run-1", "run-2"}
    assert leases.claim(["run-2", "run-3"], "other", 30) == {"run-3"}
    assert leases.claim(["run-1"], "one", 30) == set()
    assert leases.claimed() == {"run-1", "run-2", "run-3"}

    leases.drop("run-1", "other")
    assert leases.claim(["run-1"], "other", 30) == set()
    leases.drop("run-1", "one")
    assert leases.claim(["run-1"], "other", 30) == {"run-1"}


def test_first_worker_that_asks_takes_over_the_claims_of_a_dead_worker_alone() -> None:
    leases.claim(["of the dead"], "dead", -0.001)
    leases.claim(["of the living"], "alive", 30)
    assert leases.claim(["of the dead"], "first", 30) == set()

    leases.take_over("first", 30)
    leases.take_over("second", 30)

    assert {each: leases.held_by(each) for each in ("dead", "alive", "first", "second")} == {
        "dead": set(),
        "alive": {"of the living"},
        "first": {"of the dead"},
        "second": set(),
    }
    leases.drop("of the dead", "dead")
    assert leases.renew("dead", 30) == set()
    assert leases.held_by("first") == {"of the dead"}


def test_worker_that_renews_its_claims_in_time_keeps_them() -> None:
    leases.claim(["run-1"], "slow", -0.001)

    assert leases.renew("slow", 30) == {"run-1"}

    leases.take_over("other", 30)
    assert leases.held_by("other") == set()


def test_claims_of_a_worker_that_has_left_or_whose_clock_was_days_ahead_are_taken_over() -> None:
    leases.claim(["of the leaving"], "leaving", 30)
    leases.claim(["of the dead"], "dead", 3 * 24 * 3600)

    leases.leave("leaving")
    leases.take_over("other", 30)

    assert leases.held_by("other") == {"of the leaving", "of the dead"}


def test_claim_lasts_its_whole_time_however_long_the_database_was_busy() -> None:
    """Else a claim on a busy SQLite would be over before it is made, and a living worker would lose its run."""
    with ThreadPoolExecutor(1) as worker:
        with writing() as busy:
            busy.connection()
            claimed = worker.submit(leases.claim, ["run-1"], "one", 30)
            time.sleep(0.5)
            free_at = datetime.now(UTC)
        assert claimed.result(LONGEST_S) == {"run-1"}

    (lease,) = all_of(select(LeaseRow))
    assert settings().database_location.startswith("postgres") or lease.expires_at >= free_at + timedelta(seconds=30)


def test_sole_worker_ends_the_leases_of_other_workers_and_of_their_runs_alone() -> None:
    run, another = str(uuid4()), str(uuid4())
    for worker_id in ("dead", "sole"):
        leases.renew(worker_id, 30)
    leases.claim([run], "dead", 30)
    take("r", f"{run}:2")
    take("another", f"{another}:1")

    leases.end_workers("sole")
    leases.take_over("sole", 30)

    assert leases.held_by("sole") == {run}
    assert take("r", "the next:1")
    assert not take("another", "the next:1")
    assert leases.expiry(run) is None
