"""Prints the receiver's figures as tables, and writes them into `benchmarks/receiver.md`.

python -m benchmarks.report
"""

import json
from collections.abc import Callable
from statistics import median
from typing import Any

from benchmarks import receiver
from benchmarks.tables import GOALS, PAGES, Rows, at_least, at_most, machine, publish

_ORDER = ("cellar", "floor", "nginx", "streaming", "whole", "parameter")


def main() -> None:
    measured = json.loads(receiver.MEASURED.read_text())
    tables = {"goals": (GOALS, _goals(measured)), "matrix": (_head(measured), matrix(measured))}
    publish(tables, {"machine": machine(measured)}, PAGES / "receiver.md")


def _goals(measured: dict[str, Any]) -> Rows:
    """Return each goal with the figure reached. A ratio is the median of the ratios within the rounds."""
    large = {size_mb: _case(measured, size_mb * 10**6, 1, 1) for size_mb in (20, 200, 1000)}
    many = _case(measured, 10**9, 200, 1)
    escaped = _case(measured, 200 * 10**6, 1, 1, is_escaped=True)
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


if __name__ == "__main__":
    main()
