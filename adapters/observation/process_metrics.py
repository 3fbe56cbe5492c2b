"""What the processes of a receiver use together: processor time, memory, open files, as Prometheus names it."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, Metric

_LEAST = {"process_start_time_seconds": min, "process_max_fds": min}
_PROCESSOR_TIME = "process_cpu_seconds"
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def process_metrics(pids: Sequence[int]) -> Iterable[Metric]:
    """Yield the sums over processes, the first of which is the parent of the others, if there are several.

    The parent's time includes the time of children that have ended: the sum never falls, and a replaced process does
    not look like a restart of all.
    """
    found: dict[str, list[float]] = {}
    families: dict[str, Metric] = {}
    for pid in pids:
        for family in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]
            families.setdefault(family.name, family)
            found.setdefault(family.name, []).append(family.samples[0].value)
    for name, family in families.items():
        of_all: Callable[[Iterable[float]], float] = _LEAST.get(name, sum)
        value = of_all(found[name])
        if name == _PROCESSOR_TIME:
            yield CounterMetricFamily(name, family.documentation, value=value + _of_ended_children_s(pids[0]))
        else:
            family.samples = [family.samples[0]._replace(value=value)]
            yield family


def _of_ended_children_s(pid: int) -> float:
    """Return the processor time of the children of a process that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[13]) + int(fields[14])) / _TICKS_PER_S
