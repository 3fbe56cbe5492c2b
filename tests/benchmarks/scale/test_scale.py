"""The page on scale has every figure, and what it says about queues and sizes follows from them."""

import math
import random
import subprocess
import sys
from itertools import accumulate
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scale import report
from benchmarks.scale.costs import Costs
from benchmarks.scale.measuring import Measured, processor_s
from benchmarks.scale.queueing import Form, simulate
from benchmarks.scale.sizing import BUSY_AT_MOST, Needs, needs

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


MEASURED_COSTS = Costs(receiver_s=0.012, worker_s=0.15, prefect_s=0.14, database_s=0.04, sender_s=0.01)
MEASURED = Measured(MEASURED_COSTS, 5.2, 0.31, 0.047, 138.0, in_a_minute=100)


def test_tables_have_a_row_for_each_part_rate_and_form() -> None:
    assert [row[1] for row in report.costs(MEASURED_COSTS)] == ["12", "150", "140", "40"]
    assert [row[0] for row in report.sizes(MEASURED_COSTS)] == ["1", "10", "100", "1,000"]
    assert report.sizes(MEASURED_COSTS)[-1] == ["1,000", "20", "250", "234", "67", "37,000"]
    assert [row[1] for row in report.checks(MEASURED)] == ["5.20", "0.31", "138.00", "47.00"]
    assert [row[1] for row in report.forms(MEASURED_COSTS)] == ["1", "2", "4"] * 2


def test_time_of_a_process_includes_its_living_and_its_ended_children() -> None:
    """Each process says what it has used so far, by the same counters, so a slow machine changes nothing."""
    spin = "import os, time\nwhile sum(os.times()[:2]) < 0.1: pass\n"
    ended = f"import os, subprocess, sys\nsubprocess.run([sys.executable, '-c', {spin!r}])\n"
    lives = spin + "print(sum(os.times()[:2]), flush=True)\ntime.sleep(600)\n"
    living = f"child = subprocess.Popen([sys.executable, '-c', {lives!r}])\n"
    says = "print(sum(os.times()[:4]), flush=True)\ninput()\nchild.kill()\n"
    command = [sys.executable, "-c", ended + living + says]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said_s = [float(process.stdout.readline()) for _ in range(2)]
        found_s = processor_s(process.pid)
        process.communicate("\n")

    assert min(said_s) >= 0.1
    assert round(found_s, 2) >= round(sum(said_s), 2)  # in ticks of 10 ms
    assert processor_s(process.pid) == 0


def test_published_page_has_markers_for_every_table() -> None:
    page = report.PAGE.read_text()

    for name in ("machine", "costs", "checks", "needs", "forms"):
        assert page.count(f"<!-- scale-{name} -->") == page.count(f"<!-- end of scale-{name} -->") == 1


@pytest.mark.parametrize("rate", report.RATES)
def test_rates_are_those_of_the_page(rate: int) -> None:
    assert f"{rate:,}" in report.PAGE.read_text()


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
