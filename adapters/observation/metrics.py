"""The instruments: what receiver and worker count and time while they work, as text for Prometheus.

Names begin with `cellar_` and carry their unit. Labels have few values, all known from the code, or names of the first
100 sources: never a reference, a receipt id or a template. `cellar_…` gauges that are measured at a scrape are made by
`api.metrics`.

Under `cellar up` the receiver shows the worker's instruments too. Each program keeps its values in a folder of its own,
named by PROMETHEUS_MULTIPROC_DIR, and the receiver adds up all folders beside its own. prometheus_client reads this
variable at its import. It names its files by process id, and a program that crashes again and again would leave many.
A folder belongs to one program, so its files have fixed names here, and a program that starts again goes on counting.
Each process of a receiver of several has a folder of its own too, under `cellar up` and without.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from adapters.observation.counting import FAILED_LOG_WRITES, SHARED
from models.completeness.processes import SessionEventType
from models.errors import Transient
from models.runs.receipt import DEFAULT_SOURCE, RunState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ACKNOWLEDGED = "ACKNOWLEDGED"
"""The code of a delivery that was not refused."""

_FILES = ("counter_0.db", "gauge_max_0.db", "gauge_sum_0.db", "histogram_0.db")
_FILE_BYTES = 512 << 10  # the instruments fill a tenth; labels are few
RECEIVER = CollectorRegistry(auto_describe=True)
WORKER = CollectorRegistry(auto_describe=True)

DELIVERIES = Counter(
    "cellar_deliveries", "Deliveries, by HTTP status and code of the answer.", ["status", "code"], registry=RECEIVER
)
SESSION_EVENTS = Counter(
    "cellar_session_events",
    "Acknowledged session events, by source and type; an unknown type is `other`.",
    ["source", "type"],
    registry=RECEIVER,
)
REFUSED_DELIVERIES = Counter(
    "cellar_refused_deliveries",
    "Deliveries whose body is too large or no well-formed archive, and is refused each time.",
    registry=RECEIVER,
)
SOURCE_DELIVERIES = Counter(
    "cellar_source_deliveries",
    "Deliveries by source, and by what became of them: acknowledged, refused, unauthorised or failed.",
    ["source", "outcome"],
    registry=RECEIVER,
)
INVALID_REQUESTS = Counter(
    "cellar_invalid_requests", "Requests that were refused before their path was known.", ["code"], registry=RECEIVER
)
UNAUTHORISED_REQUESTS = Counter(
    "cellar_unauthorised_requests",
    "Requests without a valid secret (webhook, oauth) or token (api, console).",
    ["face"],
    registry=RECEIVER,
)
BODY_BYTES = Histogram(
    "cellar_body_bytes",
    "Bytes of an acknowledged body.",
    registry=RECEIVER,
    buckets=[10**4, 10**5, 10**6, 10**7, 10**8, 10**9],
)
ACKNOWLEDGEMENT_SECONDS = Histogram(
    "cellar_acknowledgement_seconds",
    "Seconds from the head of a request to its acknowledgement, with the time that its sender took.",
    registry=RECEIVER,
    buckets=[0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 60],
)
RUNS_ENDED = Counter(
    "cellar_runs_ended", "Runs that ended, by state and cause of a failure.", ["state", "cause"], registry=None
)
TASK_SECONDS = Histogram(
    "cellar_task_seconds",
    "Seconds of one attempt at a task, by its end: completed, failed or interrupted.",
    ["task", "end"],
    registry=WORKER,
    buckets=[0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800],
)
RUNS_IN_PROGRESS = Gauge(
    "cellar_runs_in_progress", "Runs that the worker executes now.", registry=WORKER, multiprocess_mode="sum"
)
WORKER_BEAT = Gauge(
    "cellar_worker_beat_timestamp_seconds",
    "Time at which the worker last showed that it lives.",
    registry=WORKER,
    multiprocess_mode="max",
)
HOUSEKEEPING = Gauge(
    "cellar_housekeeping_timestamp_seconds",
    "Time at which housekeeping last looked for something to do and ended well, by flow.",
    ["flow"],
    registry=WORKER,
    multiprocess_mode="max",
)

_SESSION_EVENT_TYPES = (*SessionEventType, "other")

for _registry in (RECEIVER, WORKER):
    _registry.register(FAILED_LOG_WRITES)
    _registry.register(RUNS_ENDED)  # the receiver finds out about runs whose worker was killed
ProcessCollector(registry=WORKER)
# A counter that appears with its first event looks to Prometheus as if nothing had happened: it begins at 0.
for _face in ("webhook", "oauth", "api", "console"):
    UNAUTHORISED_REQUESTS.labels(_face)
for _type in _SESSION_EVENT_TYPES:
    SESSION_EVENTS.labels(DEFAULT_SOURCE, _type)
_STATES = (RunState.COMPLETED, RunState.FAILED, RunState.CRASHED, RunState.CANCELLED, RunState.AWAITING_RETRY)
for _state in _STATES:
    RUNS_ENDED.labels(_state, "")

SOURCE_OUTCOMES = ("acknowledged", "refused", "unauthorised", "failed")


def begin_source(label: str) -> None:
    """Let the counters of a source begin at 0."""
    for outcome in SOURCE_OUTCOMES:
        SOURCE_DELIVERIES.labels(label, outcome)


def make_shared_folder(folder: Path) -> str:
    """Make the empty folder in which a process keeps its values. Return it as the value of PROMETHEUS_MULTIPROC_DIR.

    The files are mapped into memory, and get their blocks here: where a disk is full, a write to a missing block would
    kill the program.

    Raises Transient if the disk does not take the files.
    """
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
        for name in _FILES:
            with (folder / name).open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, _FILE_BYTES)
    except OSError as error:
        raise Transient(f"{folder} cannot be made: {error.strerror}; free some space") from error
    return str(folder)


def folders_of_processes(processes: int, own: Path) -> list[str]:
    """Return the folders in which the processes of a receiver keep their values, each as `make_shared_folder` does.

    Under `cellar up` they lie beside the worker's and outlive a restart of the receiver; else they are made in `own`.

    Raises Transient if the disk does not take the files.
    """
    if not SHARED:
        shutil.rmtree(own, ignore_errors=True)
    base = Path(SHARED).parent if SHARED else own
    folders = [base / f"receiver-{number}" for number in range(processes)]
    return [str(each) if _is_whole(each) else make_shared_folder(each) for each in folders]


def _is_whole(folder: Path) -> bool:
    files = [folder / name for name in _FILES]
    return all(file.exists() and file.stat().st_size >= _FILE_BYTES for file in files)


def run_ended(state: str, cause_code: str | None = None) -> None:
    """Count a run that ended. `cause_code` is the stable code of a failure's cause.

    A person may give a run in Prefect a state of any name. Such names count as `other`.
    """
    RUNS_ENDED.labels(state if state in _STATES else "other", cause_code or "").inc()


def count_event(source: str, known_type: str | None) -> None:
    """Count an acknowledged session event. An unknown type, which can be any text, counts as `other`."""
    SESSION_EVENTS.labels(source, known_type or "other").inc()


def exposition(own: CollectorRegistry, measured: Iterable[Metric] = ()) -> bytes:
    """Return the values of a program's instruments, and what was measured for this scrape, as text for Prometheus."""
    registry = CollectorRegistry()
    registry.register(_Families([*own.collect(), *measured]))
    return generate_latest(registry)


def shared_exposition(measured: Iterable[Metric]) -> bytes:
    """Return the values of all processes of the receiver, and under `cellar up` the worker's too, with what was
    measured for this scrape.
    """
    if not SHARED:
        return exposition(RECEIVER, measured)
    files = list(Path(SHARED).parent.glob("*/*.db"))
    merged: Iterable[Metric] = MultiProcessCollector.merge(map(str, files))  # type: ignore[no-untyped-call]
    if any(file.parent.name == "worker" for file in files):
        merged = (each for each in merged if each.name.startswith("cellar_"))  # Prefect's own lie there too
    else:
        own = {each.name for each in RECEIVER.collect()}
        merged = (each for each in merged if each.name in own)  # a process has the worker's instruments too, at 0
    return exposition(CollectorRegistry(), [*merged, *measured])


class _Families(Collector):
    """Families that are ready, as a collector."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


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
