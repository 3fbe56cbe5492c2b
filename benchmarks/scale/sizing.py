"""What a rate of archives needs of each part."""

import math
from dataclasses import dataclass

from benchmarks.scale.costs import Costs

BUSY_AT_MOST = 0.6
"""The share of its time that a process may be busy, so that what arrives unevenly does not queue for long."""


@dataclass(frozen=True, slots=True)
class Needs:
    """Processes of each part, cores of the database, and requests a second to the bucket, at a rate."""

    archives_per_s: float
    receivers: int
    workers: int
    prefect_servers: int
    database_cores: int
    bucket_requests_per_s: int


def needs(archives_per_s: float, costs: Costs, bucket_requests: int) -> Needs:
    """Return what a steady rate needs. A process of Python keeps one core busy at most."""
    return Needs(
        archives_per_s,
        receivers=_processes(archives_per_s, costs.receiver_s),
        workers=_processes(archives_per_s, costs.worker_s),
        prefect_servers=_processes(archives_per_s, costs.prefect_s),
        database_cores=_processes(archives_per_s, costs.database_s),
        bucket_requests_per_s=math.ceil(archives_per_s * bucket_requests),
    )


def _processes(archives_per_s: float, cost_s: float) -> int:
    return max(1, math.ceil(round(archives_per_s * cost_s / BUSY_AT_MOST, 9)))
