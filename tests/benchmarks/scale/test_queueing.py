"""The simulation agrees with queueing theory where theory has a formula, and loses no archive where it has none."""

import math
import random
from dataclasses import replace
from itertools import accumulate
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scale.costs import Costs
from benchmarks.scale.queueing import Form, simulate

RECEIVER_ONLY = Costs(receiver_s=0.1, worker_s=0, prefect_s=0, database_s=0)
ALL = Costs(receiver_s=0.01, worker_s=0.15, prefect_s=0.14, database_s=0.05, sender_s=0.01)


def waiting_s(form: Form, arrivals_s: list[float]) -> float:
    """Return how long an archive waits for the receiver, on average."""
    passed = simulate(form, RECEIVER_ONLY, arrivals_s)
    return mean(each.acknowledged_s - each.arrived_s for each in passed) - RECEIVER_ONLY.receiver_s


def poisson(rate_per_s: float, count: int) -> list[float]:
    chance = random.Random(11)
    return list(accumulate(chance.expovariate(rate_per_s) for _ in range(count)))


def test_random_arrivals_wait_as_long_as_the_formula_of_pollaczek_and_khinchine_says() -> None:
    """With a constant service time s and utilisation u, the average wait is u s / 2 (1 - u): 0.05 s at 0.5."""
    assert waiting_s(Form(cores=1), poisson(5, 20_000)) == pytest.approx(0.05, rel=0.1)


def test_second_receiver_shortens_the_queue_and_needs_a_second_core() -> None:
    arrivals_s = poisson(9, 5_000)

    one, two = waiting_s(Form(cores=2), arrivals_s), waiting_s(Form(cores=2, receivers=2), arrivals_s)
    without_a_core = waiting_s(Form(cores=1, receivers=2), arrivals_s)

    assert two < one / 5
    assert without_a_core == pytest.approx(one)


def test_idle_installation_takes_the_sum_of_its_costs() -> None:
    (only,) = simulate(Form(cores=2), ALL, [3.0])

    assert only.arrived_s == 3.0
    assert only.acknowledged_s == pytest.approx(3.02)
    assert only.recorded_s == pytest.approx(3.0 + ALL.total_s)


def test_burst_on_one_core_takes_the_work_of_all_its_archives() -> None:
    passed = simulate(Form(cores=1), ALL, [0.0] * 50)

    assert max(each.recorded_s for each in passed) == pytest.approx(50 * ALL.total_s)


def test_burst_on_many_cores_takes_the_work_of_the_busiest_program() -> None:
    costs = replace(ALL, prefect_s=0.02)

    passed = simulate(Form(cores=64), costs, [0.0] * 200)

    assert max(each.recorded_s for each in passed) == pytest.approx(200 * costs.worker_s, rel=0.05)


@given(
    arrivals_s=st.lists(st.floats(0, 20), max_size=30),
    form=st.builds(
        Form,
        cores=st.integers(1, 4),
        receivers=st.integers(1, 3),
        workers=st.integers(1, 3),
        prefect_servers=st.integers(1, 3),
        core_share=st.sampled_from([0.25, 1.0]),
    ),
)
def test_every_archive_passes_every_step_in_order(arrivals_s: list[float], form: Form) -> None:
    passed = simulate(form, ALL, arrivals_s)

    assert sorted(each.arrived_s for each in passed) == sorted(arrivals_s)
    assert all(each.arrived_s < each.acknowledged_s < each.completed_s < each.recorded_s for each in passed)
    assert all(math.isfinite(each.recorded_s) for each in passed)
