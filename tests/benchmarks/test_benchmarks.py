"""Benchmarks measure real servers and engines; what the page on scale says of sizes follows from costs."""

import json
import math
import random
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.progress import Progress

from benchmarks import engine, report
from benchmarks.engine import Step
from benchmarks.engine_parts import Burst, Idle, Memory
from benchmarks.receiver import Case, document, run_round
from benchmarks.scale.costs import Costs
from benchmarks.scale.queueing import Form, simulate
from benchmarks.scale.sizing import BUSY_AT_MOST, Needs, needs


@pytest.mark.faults
def test_archives_are_measured_from_post_to_their_recorded_task_runs(
    tmp_path: Path, configure: Callable[..., object]
) -> None:
    planned = [Step("site", "sqlite", "cellar", part, 2) for part in ("idle", "burst", "memory")]

    (_, idle), (_, burst), (_, memory) = engine.run(planned, tmp_path / "work")

    assert isinstance(idle, Idle)
    assert isinstance(burst, Burst)
    assert isinstance(memory, Memory)
    assert [0 < latency_s < 60 for latency_s in idle.latencies_s] == [True] * 2
    assert (burst.posted, burst.completed, burst.recorded) == (2, 2, 2)
    assert burst.runs_per_s > 0
    assert memory.runs == 8  # with two to warm up
    assert memory.rss_mb > 20
    assert {log.name for log in (tmp_path / "work" / "site" / "logs").iterdir()} >= {"api.log", "prefect.log"}


def test_each_server_takes_a_case_and_the_report_compares_them(tmp_path: Path) -> None:
    planned = [Case(20_000, 1, 2)]
    with Progress(disable=True) as progress:
        figures = [run_round(tmp_path, planned, progress)]

    (case,) = json.loads(json.dumps(document(planned, figures)))["cases"]
    (row,) = report.matrix({"cases": [case]})
    assert {"cellar", "floor", "streaming", "whole", "parameter"} <= set(case["servers"])
    assert row[:3] == ["20 KB", "1", "2"]
    assert [float(cell.removeprefix("× ")) > 0 for cell in row[3:8]] == [True] * 5


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
