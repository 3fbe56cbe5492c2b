"""The page on scale has every figure, and the costs are read from the processes that have them."""

import subprocess
import sys
import time
from dataclasses import asdict

import pytest

from benchmarks.scale import report
from benchmarks.scale.costs import Costs
from benchmarks.scale.measuring import Measured, processor_s
from tests.conftest import LONGEST_S

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
    spin = "import time\nwhile time.process_time() < 0.3: pass\n"
    ended = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {spin!r}])\n"
    living = f"child = subprocess.Popen([sys.executable, '-c', {spin + 'time.sleep(60)'!r}])\ninput()\nchild.kill()\n"
    with subprocess.Popen([sys.executable, "-c", ended + living], stdin=subprocess.PIPE) as process:
        deadline = time.monotonic() + LONGEST_S
        while (found_s := processor_s(process.pid)) < 0.6:
            assert time.monotonic() < deadline, f"{found_s} s"
            time.sleep(0.05)
        process.communicate(b"\n")

    assert processor_s(process.pid) == 0


def test_published_page_has_markers_for_every_table() -> None:
    page = report.PAGE.read_text()

    for name in ("machine", "costs", "checks", "needs", "forms"):
        assert page.count(f"<!-- scale-{name} -->") == page.count(f"<!-- end of scale-{name} -->") == 1


@pytest.mark.parametrize("rate", report.RATES)
def test_rates_are_those_of_the_page(rate: int) -> None:
    assert f"{rate:,}" in report.PAGE.read_text()
