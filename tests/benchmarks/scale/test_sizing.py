"""A rate needs so many processes that none is busy for more than six tenths of its time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scale.costs import Costs
from benchmarks.scale.sizing import BUSY_AT_MOST, Needs, needs

COSTS = Costs(receiver_s=0.012, worker_s=0.15, prefect_s=0.12, database_s=0.06)


def test_needs_of_rates() -> None:
    assert needs(1, COSTS, 40) == Needs(1, 1, 1, 1, 1, 40)
    assert needs(10, COSTS, 40) == Needs(10, 1, 3, 2, 1, 400)
    assert needs(100, COSTS, 40) == Needs(100, 2, 25, 20, 10, 4000)


@given(st.floats(0.001, 10_000))
def test_no_process_is_busier_than_the_limit(rate: float) -> None:
    found = needs(rate, COSTS, 40)

    assert rate * COSTS.worker_s / found.workers <= BUSY_AT_MOST * (1 + 1e-6)
    assert found.workers == 1 or rate * COSTS.worker_s / (found.workers - 1) > BUSY_AT_MOST


def test_total_is_the_sum_of_the_parts() -> None:
    assert COSTS.total_s == pytest.approx(0.342)
