"""Instruments count ended runs by names that cellar knows."""

from adapters.platform.metrics import WORKER, exposition, run_ended
from tests.scrapes import Scrape


def _ended(state: str, cause: str) -> float:
    return Scrape(exposition(WORKER).decode()).value("cellar_runs_ended_total", {"state": state, "cause": cause}) or 0


def test_runs_are_counted_by_state_and_cause() -> None:
    before = _ended("Failed", ""), _ended("Failed", "STORE_AWAY"), _ended("other", "")

    run_ended("Failed")
    run_ended("Failed", "STORE_AWAY")
    run_ended("A name that a person gave in Prefect")

    assert (_ended("Failed", ""), _ended("Failed", "STORE_AWAY"), _ended("other", "")) == tuple(n + 1 for n in before)
