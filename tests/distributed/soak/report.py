"""Turns the lines that a soak has written into the section of `docs/reliability.md` and its chart."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.distributed.soak.chart import drawn

_ROOT = Path(__file__).parents[3]
RELIABILITY = _ROOT / "docs" / "reliability.md"
CHART = _ROOT / "docs" / "images" / "soak.svg"
_BEGIN, _END = "<!-- soak: written by make soak -->", "<!-- soak ends -->"
_PICTURE = "![What the soak occupied over time](images/soak.svg)"
_MB = 1e6


def read(lines: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return samples and outcomes. A line that a kill has cut off is left out."""
    found = []
    for line in lines.read_text().splitlines() if lines.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return [each for each in found if "elapsed_s" in each], [each for each in found if "lost" in each]


def text_of(samples: Sequence[dict[str, Any]], outcomes: Sequence[dict[str, Any]]) -> str:
    """Return what was measured, as Markdown."""
    last = samples[-1]
    counted = outcomes[-1] if outcomes else {}
    unknown = "not known: the soak was cut off"
    loads = [each["load_average"] for each in samples]
    rows = {
        "minutes": f"{last['elapsed_s'] / 60:.0f}",
        "archives acknowledged": f"{_acknowledged(last, counted):,}",
        "deliveries acknowledged, session events acknowledged, faulty bodies refused": f"{last['deliveries']:,}, "
        f"{last['events']:,}, {last['refused']:,}",
        "archives completed": f"{counted.get('completed', last['completed']):,}",
        "archives lost": counted.get("lost", unknown),
        "archives, versions, payments or messages duplicated": counted.get("duplicated", unknown),
        "answers that a sender must not get": last["wrong"],
        "seconds until all was completed, after the last acknowledgement": counted.get("completed_after_s", unknown),
        "p99 of the acknowledgement": f"{counted.get('p99_s', last['p99_s']):.2f} s",
        "memory of all processes, first and last minute": f"{_memory(samples[0]):,.0f} MB, {_memory(last):,.0f} MB",
        "disk, rows and connections at the end": f"{sum(last['disk_bytes'].values()) / _MB:,.0f} MB, "
        f"{sum(last['rows'].values()):,}, {sum(last['connections'].values())}",
        "load average of the machine, lowest and highest": f"{min(loads):.1f}, {max(loads):.1f}",
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return f"| what | measured |\n| --- | --- |\n{table}\n"


def write(samples: Sequence[dict[str, Any]], outcomes: Sequence[dict[str, Any]]) -> None:
    """Write chart and section; the other sections of the page stay."""
    CHART.write_text(chart_of(samples))
    page = RELIABILITY.read_text()
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    RELIABILITY.write_text(f"{before}{_BEGIN}\n{text_of(samples, outcomes)}\n{_PICTURE}\n{_END}{after}")


def chart_of(samples: Sequence[dict[str, Any]]) -> str:
    minutes = [each["elapsed_s"] / 60 for each in samples]

    def _each(name: str, unit: float = 1) -> dict[str, list[float]]:
        names = dict.fromkeys(key for sample in samples for key in sample[name])
        return {key: [sample[name].get(key, 0) / unit for sample in samples] for key in names}

    counts = {name: [sample[name] for sample in samples] for name in ("acknowledged", "completed")}
    return drawn(
        minutes,
        {
            "archives": counts,
            "p99 of the acknowledgement, s": {"p99": [each["p99_s"] for each in samples]},
            "memory, MB": _each("memory_bytes", _MB),
            "disk, MB": _each("disk_bytes", _MB),
            "rows": _each("rows"),
            "connections": _each("connections"),
        },
    )


def _acknowledged(last: dict[str, Any], counted: dict[str, Any]) -> int:
    """Return the number at the end, which the last sample may miss."""
    return int(counted["completed"] + counted["not_completed"] if counted else last["acknowledged"])


def _memory(sample: dict[str, Any]) -> float:
    return float(sum(sample["memory_bytes"].values())) / _MB
