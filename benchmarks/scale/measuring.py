"""Measures what an archive costs each part, and runs for the simulation to be held against."""

import os
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import engine_parts
from benchmarks.installations import Installation
from benchmarks.scale.costs import Costs

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Measured:
    """Costs in a burst, and three figures that no cost was taken from."""

    costs: Costs
    burst_runs_per_s: float
    idle_p50_s: float
    acknowledged_p99_s: float
    """In a minute of evenly spaced archives, `in_a_minute` of them."""
    drained_s: float
    """From the last post of that minute to the last Completed."""
    in_a_minute: int


async def measure(site: Installation, database_pid: int, template: bytes, count: int, in_a_minute: int) -> Measured:
    """Measure idle latency, a burst with its costs, and a minute."""
    idle = await engine_parts.idle(site, template, 10)
    before, own_before = _spent(site, database_pid), _own_s()
    burst = await engine_parts.burst(site, template, count)
    after, own_s = _spent(site, database_pid), _own_s() - own_before
    minute = await engine_parts.minute(site, template, in_a_minute)
    return Measured(
        costs=Costs(**{part: (after[part] - before[part]) / count for part in before}, sender_s=own_s / count),
        burst_runs_per_s=burst.runs_per_s,
        idle_p50_s=median(idle.latencies_s),
        acknowledged_p99_s=minute.acknowledged_p99_s,
        drained_s=minute.drained_s,
        in_a_minute=in_a_minute,
    )


def _spent(site: Installation, database_pid: int) -> Mapping[str, float]:
    """Return the processor seconds of each part so far, by the name of its cost."""
    return {
        "receiver_s": processor_s(site.api.pid),
        "worker_s": processor_s(site.worker.pid),
        "prefect_s": processor_s(site.prefect_server.pid),
        "database_s": processor_s(database_pid),
    }


def processor_s(pid: int) -> float:
    """Return the processor seconds of a process and of its descendants, also of those that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = [int(each) for task in Path(f"/proc/{pid}/task").iterdir() for each in _children_of(task)]
    except FileNotFoundError:  # it ended meanwhile; its parent has its time now
        return 0
    own_and_ended = sum(map(int, fields[11:15])) / _TICKS_PER_S  # utime, stime, cutime, cstime: proc(5)
    return own_and_ended + sum(map(processor_s, children))


def _children_of(task: Path) -> list[str]:
    return (task / "children").read_text().split()


def _own_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
