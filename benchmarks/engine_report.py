"""Prints the figures of the engines as tables, and writes them into `benchmarks/engine.md`.

python -m benchmarks.engine_report
"""

import json
from collections.abc import Sequence
from statistics import median, quantiles
from typing import Any

from benchmarks import engine
from benchmarks.tables import GOALS, PAGES, Rows, at_least, at_most, machine, publish

_NAMES = {"postgres": "Postgres", "sqlite": "embedded", "cellar": "cellar", "stock": "stock"}
_ENGINES = [
    *("", "engine", "idle: p50 s", "p95 s", "of cellar's p50"),
    *("burst: completed", "runs/s", "task runs visible, p95 s"),
]
_MINUTE = [
    *("", "acknowledged", "p99 ms", "completed", "drained after s", "runs/s", "task runs visible, p95 s"),
    *("pairs out of order", "places off at most", "503", "locked", "time-outs"),
]


def main() -> None:
    measured = json.loads(engine.MEASURED.read_text())
    tables = {
        "engine-goals": (GOALS, goals(measured)),
        "engines": (_ENGINES, engines(measured)),
        "engine-minute": (_MINUTE, minutes(measured)),
    }
    publish(tables, {"engine-machine": machine(measured)}, PAGES / "engine.md")


def goals(measured: dict[str, Any]) -> Rows:
    """Return each goal with the figure reached. A ratio of latencies is the median of the ratios within the rounds."""
    ours_s, theirs_s = (_p50s(measured, "postgres", name) for name in ("cellar", "stock"))
    faster = [theirs / ours for ours, theirs in zip(ours_s, theirs_s, strict=True)]
    runs_per_s = {kind: _burst(measured, kind, "cellar", "runs_per_s") for kind in engine.KINDS}
    visible_s = max(_burst(measured, kind, "cellar", "visible_p95_s") for kind in engine.KINDS)
    of_stock = runs_per_s["postgres"] / _burst(measured, "postgres", "stock", "runs_per_s")
    return [
        *_idle_goals(measured, "postgres", 0.5, 1),
        at_least("idle, Postgres: times faster than the stock worker, p50", 7, median(faster)),
        at_least("burst, Postgres: runs/s until all is Completed and recorded", 6, runs_per_s["postgres"]),
        at_least("burst, Postgres: of the stock worker's runs/s", 10, of_stock),
        *_idle_goals(measured, "sqlite", 0.6, 1.2),
        at_least("burst, embedded: runs/s until all is Completed and recorded", 4, runs_per_s["sqlite"]),
        at_most("burst: task runs visible after their flow has ended, p95 s, both kinds", 2, visible_s, decimals=2),
        *_memory_goal(measured),
    ]


def _memory_goal(measured: dict[str, Any]) -> Rows:
    what = "memory of the worker after 2,000 runs, of that after 200"
    if "memory" not in measured:
        return [[what, "at most 1.15", "not measured", ""]]
    before, after = (each["rss_mb"] for each in measured["memory"]["postgres"]["cellar"])
    return [at_most(what, 1.15, after / before, decimals=2)]


def engines(measured: dict[str, Any]) -> Rows:
    """Return a row for each engine on each kind of installation."""
    return [_engine(measured, kind, name) for kind in engine.KINDS for name in measured["idle"][kind]]


def minutes(measured: dict[str, Any]) -> Rows:
    """Return a row for each thousand archives in a minute."""
    return [_minute(kind, found["cellar"][0]) for kind, found in measured.get("minute", {}).items()]


def _engine(measured: dict[str, Any], kind: str, name: str) -> list[str]:
    ours, theirs = (median(_p50s(measured, kind, each)) for each in ("cellar", name))
    rounds = measured["burst"][kind][name]
    return [
        _NAMES[kind],
        _NAMES[name],
        f"{theirs:.2f}",
        f"{median(_p95s(measured, kind, name)):.2f}",
        f"× {theirs / ours:.1f}",
        f"{sum(each['completed'] for each in rounds)} of {sum(each['posted'] for each in rounds)}",
        f"{_burst(measured, kind, name, 'runs_per_s'):.2f}",
        f"{_burst(measured, kind, name, 'visible_p95_s'):.2f}",
    ]


def _minute(kind: str, found: dict[str, Any]) -> list[str]:
    return [
        _NAMES[kind],
        f"{found['acknowledged']} of {found['posted']}",
        f"{1000 * found['acknowledged_p99_s']:.0f}",
        f"{found['completed']}",
        f"{found['drained_s']:.0f}",
        f"{found['runs_per_s']:.2f}",
        f"{found['visible_p95_s']:.2f}",
        f"{100 * found['inversions']:.2f} %",
        f"{found['largest_displacement']}",
        *map(str, found["complaints"].values()),
    ]


def _idle_goals(measured: dict[str, Any], kind: str, p50_s: float, p95_s: float) -> Rows:
    what = f"idle, {_NAMES[kind]}: acknowledged to Completed"
    return [
        at_most(f"{what}, p50 s", p50_s, median(_p50s(measured, kind, "cellar")), decimals=2),
        at_most(f"{what}, p95 s", p95_s, median(_p95s(measured, kind, "cellar")), decimals=2),
    ]


def _p50s(measured: dict[str, Any], kind: str, name: str) -> list[float]:
    return [median(latencies_s) for latencies_s in _latencies_s(measured, kind, name)]


def _p95s(measured: dict[str, Any], kind: str, name: str) -> list[float]:
    return [quantiles(latencies_s, n=20, method="inclusive")[18] for latencies_s in _latencies_s(measured, kind, name)]


def _latencies_s(measured: dict[str, Any], kind: str, name: str) -> Sequence[list[float]]:
    """The latencies of each round."""
    return [found["latencies_s"] for found in measured["idle"][kind][name]]


_MISSED = {"runs_per_s": 0.0, "visible_p95_s": float("inf")}


def _burst(measured: dict[str, Any], kind: str, name: str, figure: str) -> float:
    """The median of a figure. A burst that did not complete counts as the worst possible."""
    rounds = measured["burst"][kind][name]
    return float(median(each[figure] if each["recorded"] >= each["posted"] else _MISSED[figure] for each in rounds))


if __name__ == "__main__":
    main()
