"""Measures what a second worker and a second Prefect server bring: `python -m benchmarks.scaling [ARCHIVES]`.

Each process of cellar and of Prefect is held to a quarter of a core, so that two cores carry all of them: the rate of
two workers and two Prefect servers against one of each. The engines (Postgres, Valkey, SeaweedFS, nginx) are not held,
since both forms share them. Needs root and the controller `cpu` of cgroups, version 1.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from benchmarks.archives import template
from benchmarks.distributed_burst import burst
from benchmarks.machine import described
from benchmarks.servers import SECRET
from tests.distributed.stack import distributed

_CONTROLLER = Path("/sys/fs/cgroup/cpu")
_PERIOD_US, _SHARE = 100_000, 0.25
_ENGINES = ("postgres", "redis", "s3", "nginx")
_ARCHIVES = 100
_FORMS = (1, 2, 2, 1)
"""Workers and Prefect servers of each turn: the machine is as warm for one form as for the other."""


def main(archives: int) -> None:
    made, rates = template(), dict[int, list[float]]()
    for count in _FORMS:
        with tempfile.TemporaryDirectory(prefix="cellar-benchmark-") as folder:
            rate = _rate(Path(folder), made, count, archives)
        rates.setdefault(count, []).append(rate)
        print(f"{count} of each: {rate:.2f} archives/s, load {os.getloadavg()[0]:.1f}", flush=True)
    ratio = median(rates[2]) / median(rates[1])
    print(json.dumps({"archives_per_s": rates, "ratio": round(ratio, 2), "machine": described()}, indent=2))


def _rate(folder: Path, made: bytes, count: int, archives: int) -> float:
    """Return the archives a second from the first acknowledgement on, until the last of a burst is completed."""
    with (
        distributed(folder, receivers=2, workers=count, prefects=count, webhook_secrets=SECRET) as stack,
        ExitStack() as held,
    ):
        for name in stack.processes.keys() - set(_ENGINES):
            held.enter_context(_held(name, stack[name].pids()))
        burst(stack, made, max(4, archives // 10))  # so that both forms have imported everything
        return archives / burst(stack, made, archives)


@contextmanager
def _held(name: str, pids: list[int]) -> Iterator[None]:
    """Hold a process with its children to its share of a core until the end of the block."""
    group = _CONTROLLER / f"cellar-{os.getpid()}-{name}"
    try:
        group.mkdir()
    except OSError as error:
        sys.exit(f"benchmarks.scaling: cannot make {group}: {error.strerror}; run as root, with cgroups of version 1")
    (group / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
    (group / "cpu.cfs_quota_us").write_text(str(round(_PERIOD_US * _SHARE)))
    for pid in pids:
        (group / "cgroup.procs").write_text(str(pid))
    try:
        yield
    finally:
        for member in (group / "cgroup.procs").read_text().split():
            (_CONTROLLER / "cgroup.procs").write_text(member)
        group.rmdir()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else _ARCHIVES)
