"""The page on scale has every figure, and the costs are read from the processes that have them."""

import subprocess
import sys
from dataclasses import asdict

import pytest

from benchmarks.scale import report
from benchmarks.scale.costs import Costs
from benchmarks.scale.measuring import Measured, processor_s

COSTS = Costs(receiver_s=0.012, worker_s=0.15, prefect_s=0.14, database_s=0.04, sender_s=0.01)
MEASURED = Measured(COSTS, 5.2, 0.31, 0.047, 138.0, in_a_minute=100)


def test_record_is_read_as_it_was_written() -> None:
    assert report.read({"machine": {}, "rounds": 1} | asdict(MEASURED)) == MEASURED


def test_tables_have_a_row_for_each_part_rate_and_form() -> None:
    assert [row[1] for row in report.costs(COSTS)] == ["12", "150", "140", "40"]
    assert [row[0] for row in report.sizes(COSTS)] == ["1", "10", "100", "1,000"]
    assert report.sizes(COSTS)[-1] == ["1,000", "20", "250", "234", "67", "40,000"]
    assert [row[1] for row in report.checks(MEASURED)] == ["5.20", "0.31", "138.00", "47.00"]
    assert [row[1] for row in report.forms(COSTS)] == ["1", "2", "4"] * 2


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
