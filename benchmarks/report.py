"""Prints the receiver's figures as tables, writes them into `benchmarks/receiver.md`, and draws a picture.

python -m benchmarks.report
"""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import chart, receiver, scanner
from benchmarks.tables import GOALS, PAGES, Rows, at_least, at_most, machine, publish

_PICTURE = Path(__file__).parents[1] / "docs" / "images" / "receiver.svg"
_ORDER = ("cellar", "floor", "nginx", "streaming", "whole", "parameter")


def main() -> None:
    measured = json.loads(receiver.MEASURED.read_text())
    goals = _goals(measured, json.loads(scanner.MEASURED.read_text()))
    tables = {"goals": (GOALS, goals), "matrix": (_head(measured), matrix(measured))}
    publish(tables, {"machine": machine(measured)}, PAGES / "receiver.md")
    _PICTURE.write_text(chart.drawn(_bars(measured, "mb_per_s"), _bars(measured, "growth_mb")))


def _goals(measured: dict[str, Any], scanned: dict[str, Any]) -> Rows:
    """Return each goal with the figure reached. A ratio is the median of the ratios within the rounds."""
    large = {size_mb: _case(measured, size_mb * 10**6, 1, 1) for size_mb in (20, 200, 1000)}
    many = _case(measured, 10**9, 200, 1)
    escaped = _case(measured, 200 * 10**6, 1, 1, is_escaped=True)
    scan, persist = scanned["scan"], scanned["persist"]
    slowest = min(median(rounds) for name, rounds in scan.items() if name != "escaped")
    spent = [theirs / ours for ours, theirs in zip(persist["cellar"], persist["sha256sum and cp"], strict=True)]
    growth = [("one string", large[1000]), ("200 strings", many)]
    return [
        at_least("200 MB, of the floor's MB/s", 0.70, _ratio(large[200], "floor", "mb_per_s")),
        at_least("1 GB, of the floor's MB/s", 0.70, _ratio(large[1000], "floor", "mb_per_s")),
        *(at_most(f"1 GB, {what}: growth of peak memory, MB", 48, _growth_mb(case)) for what, case in growth),
        at_most("8 × 200 MB: growth of peak memory, MB", 200, _growth_mb(_case(measured, 200 * 10**6, 1, 8))),
        at_least("20 MB, times the MB/s of a pydantic parameter", 5, _ratio(large[20], "parameter", "mb_per_s")),
        at_least(
            "20 KB × 16, of the requests/s of streaming without any check",
            0.85,
            _ratio(_case(measured, 20_000, 1, 16), "streaming", "requests_per_s"),
        ),
        at_least("`\\/` escapes, received: of the MB/s without", 0.6, _mb_per_s(escaped) / _mb_per_s(large[200])),
        at_least("`\\/` escapes, scanner alone: of the GB/s without", 0.6, median(scan["escaped"]) / slowest),
        at_least("scanner alone, slowest alignment, GB/s", 4, slowest),
        at_least("400 MB decoded, hashed, written: of `sha256sum` + `cp` + sync", 0.8, median(spent)),
    ]


def _case(measured: dict[str, Any], size_bytes: int, strings: int, lanes: int, *, is_escaped: bool = False) -> Any:
    wanted = {"size_bytes": size_bytes, "strings": strings, "lanes": lanes, "is_escaped": is_escaped}
    return next(case for case in measured["cases"] if wanted.items() <= case.items())


def _ratio(case: Any, reference: str, figure: str) -> float:
    ours, theirs = case["servers"]["cellar"], case["servers"][reference]
    return float(median(one[figure] / other[figure] for one, other in zip(ours, theirs, strict=True)))


def _growth_mb(case: Any) -> float:
    return float(median(each["growth_mb"] for each in case["servers"]["cellar"]))


def _mb_per_s(case: Any) -> float:
    return float(median(each["mb_per_s"] for each in case["servers"]["cellar"]))


def _servers(measured: dict[str, Any]) -> list[str]:
    return [name for name in _ORDER if name in measured["cases"][0]["servers"]]


def _head(measured: dict[str, Any]) -> list[str]:
    return ["body", "strings", "lanes", *(f"{name}: MB/s" for name in _servers(measured)), *_OURS]


_OURS: dict[str, Callable[[Any], str]] = {
    "requests/s": lambda rounds: f"{median(each['requests_per_s'] for each in rounds):.0f}",
    "p50 ms": lambda rounds: f"{median(each['p50_ms'] for each in rounds):.1f}",
    "p99 ms": lambda rounds: f"{median(each['p99_ms'] for each in rounds):.1f}",
    "growth MB": lambda rounds: f"{median(each['growth_mb'] for each in rounds):.0f}",
}
"""Columns of cellar alone. Memory is the growth of the peak over the idle receiver."""


def matrix(measured: dict[str, Any]) -> Rows:
    """Return cellar's MB/s, and the MB/s of each reference as a multiple of it."""
    rows = []
    for case in measured["cases"]:
        found, ours = case["servers"], case["servers"]["cellar"]
        cells = [f"{_mb_per_s(case):.0f}"]
        cells += [
            f"× {1 / _ratio(case, name, 'mb_per_s'):.2f}" if name in found else "" for name in _servers(measured)[1:]
        ]
        size = _size(case["size_bytes"]) + (" `\\/`" if case["is_escaped"] else "")
        rows.append([size, str(case["strings"]), str(case["lanes"]), *cells, *(tell(ours) for tell in _OURS.values())])
    return rows


def _size(size_bytes: int) -> str:
    for unit, name in ((10**9, "GB"), (10**6, "MB")):
        if size_bytes >= unit:
            return f"{size_bytes // unit} {name}"
    return f"{size_bytes // 1000} KB"


def _bars(measured: dict[str, Any], figure: str) -> dict[str, dict[str, float]]:
    """A figure by size and server, for large bodies of one sender."""
    return {
        _size(size_bytes): {
            name: median(each[figure] for each in rounds)
            for name in _servers(measured)
            if (rounds := _case(measured, size_bytes, 1, 1)["servers"].get(name))
        }
        for size_bytes in (20 * 10**6, 200 * 10**6, 10**9)
    }


if __name__ == "__main__":
    main()
