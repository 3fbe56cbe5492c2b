"""Claims: a run has one worker, and the runs of a dead worker pass to another."""

import pytest

from adapters.tables.runs import claims

pytestmark = pytest.mark.usefixtures("installation")


def test_run_is_claimed_by_one_worker_only() -> None:
    claims.join("one")
    claims.join("other")

    assert claims.claim(["run-1", "run-2"], "one") == {"run-1", "run-2"}
    assert claims.claim(["run-2", "run-3"], "other") == {"run-3"}
    assert claims.claim(["run-1"], "one") == set()
    assert claims.claimed() == {"run-1", "run-2", "run-3"}


def test_dropped_run_can_be_claimed_again() -> None:
    claims.join("one")
    claims.claim(["run-1"], "one")

    claims.drop("run-1", "one")

    assert claims.claim(["run-1"], "one") == {"run-1"}


def test_living_worker_keeps_its_runs() -> None:
    claims.join("one")
    claims.join("other")
    claims.claim(["run-1"], "one")

    claims.take_orphans("other")

    assert claims.held_by("other") == set()
    assert claims.held_by("one") == {"run-1"}


def test_first_worker_that_asks_gets_the_runs_of_a_buried_worker() -> None:
    for worker_id in ("dead", "first", "second"):
        claims.join(worker_id)
    claims.claim(["run-1"], "dead")

    assert claims.remove_dead("dead", claims.beats()["dead"])
    claims.take_orphans("first")
    claims.take_orphans("second")

    assert (claims.held_by("first"), claims.held_by("second")) == ({"run-1"}, set())


def test_worker_with_a_newer_heartbeat_is_not_buried() -> None:
    claims.join("slow")
    seen = claims.beats()["slow"]

    assert claims.beat("slow")

    assert not claims.remove_dead("slow", seen)
    assert claims.beats() == {"slow": seen + 1}


def test_buried_worker_cannot_beat_or_drop_runs_of_its_heir() -> None:
    claims.join("paused")
    claims.join("heir")
    claims.claim(["run-1"], "paused")
    claims.remove_dead("paused", 0)
    claims.take_orphans("heir")

    assert not claims.beat("paused")
    claims.drop("run-1", "paused")

    assert claims.held_by("heir") == {"run-1"}


def test_runs_of_a_worker_that_leaves_pass_to_another_worker() -> None:
    claims.join("leaving")
    claims.join("other")
    claims.claim(["run-1"], "leaving")

    claims.leave("leaving")
    claims.take_orphans("other")

    assert claims.held_by("other") == {"run-1"}
