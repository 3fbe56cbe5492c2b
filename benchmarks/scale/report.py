"""Writes the tables of docs/scale.md from the measured costs.

python -m benchmarks.scale.report
"""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any

from benchmarks.scale.__main__ import MEASURED
from benchmarks.scale.costs import Costs
from benchmarks.scale.measuring import Measured
from benchmarks.scale.queueing import Form, Passed, simulate
from benchmarks.scale.sizing import needs
from benchmarks.tables import Rows, machine, publish

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"
RATES = (1, 10, 100, 1000)
BUCKET_REQUESTS = 37
"""At most so many requests cost an archive of four files: `tests/flows/test_requests_to_the_bucket.py`."""
_BURST = 300


def main() -> None:
    document = json.loads(MEASURED.read_text())
    measured = read(document)
    tables = {
        "scale-costs": (["part", "processor time an archive, ms"], costs(measured.costs)),
        "scale-checks": (["figure", "measured", "simulated"], checks(measured)),
        "scale-needs": (_NEEDS, sizes(measured.costs)),
        "scale-forms": (_FORMS, forms(measured.costs)),
    }
    publish(tables, {"scale-machine": machine(document)}, PAGE)


def read(document: dict[str, Any]) -> Measured:
    """Return the figures of a record that `python -m benchmarks.scale` has written."""
    figures = {name: each for name, each in document.items() if name not in ("machine", "rounds")}
    return Measured(**figures | {"costs": Costs(**figures["costs"])})


def costs(found: Costs) -> Rows:
    named = {
        "receiver": found.receiver_s,
        "worker, with the child that judges the signed document": found.worker_s,
        "Prefect's server": found.prefect_s,
        "Postgres, of cellar and of Prefect": found.database_s,
    }
    return [[name, f"{each * 1000:.0f}"] for name, each in named.items()]


def checks(measured: Measured) -> Rows:
    """Return measured figures beside those of the simulation, which knows the costs alone."""
    here = Form(cores=2)
    burst = simulate(here, measured.costs, [0.0] * _BURST)
    (idle,) = simulate(here, measured.costs, [0.0])
    spacing_s = 60 / measured.in_a_minute
    minute = simulate(here, measured.costs, [number * spacing_s for number in range(measured.in_a_minute)])
    rows = [
        ("burst, runs/s", measured.burst_runs_per_s, _BURST / max(each.recorded_s for each in burst)),
        ("idle, acknowledged to Completed, p50 s", measured.idle_p50_s, idle.completed_s - idle.acknowledged_s),
        (
            f"{measured.in_a_minute} archives in a minute, drained after s",
            measured.drained_s,
            max(each.completed_s for each in minute) - 60,
        ),
        (
            f"{measured.in_a_minute} archives in a minute, acknowledgement, p99 ms",
            measured.acknowledged_p99_s * 1000,
            _p99_s(minute) * 1000,
        ),
    ]
    return [[what, f"{found:.2f}", f"{simulated:.2f}"] for what, found, simulated in rows]


_NEEDS = ["archives/s", "receivers", "workers", "Prefect servers", "cores of Postgres", "bucket requests/s"]


def sizes(found: Costs) -> Rows:
    made = [needs(rate, found, BUCKET_REQUESTS) for rate in RATES]
    return [
        [
            *(f"{each.archives_per_s:,}", f"{each.receivers:,}", f"{each.workers:,}", f"{each.prefect_servers:,}"),
            *(f"{each.database_cores:,}", f"{each.bucket_requests_per_s:,}"),
        ]
        for each in made
    ]


_FORMS = ["each process has", "workers", "Prefect servers", "runs/s", "times"]


def forms(found: Costs) -> Rows:
    """Return what a second worker and a second Prefect server bring, in a burst, on a machine with cores to spare."""
    rows: Rows = []
    for share in (1.0, 0.25):
        one = _burst_per_s(Form(cores=8, core_share=share), found)
        for number in (1, 2, 4):
            form = Form(cores=8 * number, workers=number, prefect_servers=number, receivers=number, core_share=share)
            reached = _burst_per_s(form, found)
            rows.append([f"{share:g} core", f"{number}", f"{number}", f"{reached:.1f}", f"{reached / one:.2f}"])
    return rows


def _burst_per_s(form: Form, found: Costs) -> float:
    return _BURST / max(each.recorded_s for each in simulate(form, found, [0.0] * _BURST))


def _p99_s(passed: Sequence[Passed]) -> float:
    return quantiles([each.acknowledged_s - each.arrived_s for each in passed], n=100, method="inclusive")[98]


if __name__ == "__main__":
    main()
