"""`GET /metrics`: what Prometheus reads."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from adapters.anchors.witness import Comparison, LastAnchor
from adapters.database.facts import Counts, counts
from adapters.files.store import Disk, disks
from adapters.inbox.inbox import Backlog, backlog
from adapters.observation.metrics import CONTENT_TYPE, process_metrics, shared_exposition
from adapters.store import last_records
from adapters.tables import conditions
from adapters.tables.open_conditions import every_label, open_conditions
from api.access import acts
from api.authorization import API_TOKEN
from api.errors import READERS_FAILURES, Responses
from api.receiver.health import why_not_ready
from api.receiver.processes import Processes
from models.access import Action
from models.completeness.processes import Why
from models.errors import System
from models.runs.receipt import DEFAULT_SOURCE
from models.sources import ClockWarning
from models.store.backup import LastBackup, LastDrill
from models.store.condition import OF_FAULTS, DerivedCode
from models.views.troubles import ConditionGroup
from services.health.recent import Recent
from services.sources import clock_warnings

_PATIENCE_S = 2.0
router = APIRouter(tags=["health"], dependencies=[Depends(API_TOKEN)])
_ANSWERS: Responses = {
    200: {
        "description": "The metrics, in the text format of Prometheus.",
        "content": {CONTENT_TYPE: {"schema": {"type": "string"}}},
    },
    401: READERS_FAILURES[401],
    403: READERS_FAILURES[403],
}


def _found() -> tuple[Sequence[ConditionGroup], datetime | None]:
    return open_conditions(), conditions.stored_object().checked_at


def _of_records() -> tuple[LastAnchor | None, Comparison | None, LastBackup | None, LastDrill | None]:
    find = last_records.find
    return find(LastAnchor), find(Comparison), find(LastBackup), find(LastDrill)


_MEASURED: Sequence[Recent[Any]] = [
    Recent(measure, fresh_s=5, old_s=5 + 2 * _PATIENCE_S)
    for measure in (counts, backlog, disks, _found, _of_records, clock_warnings)
]
"""What a scrape measures. A result serves all scrapes of five seconds, and of the time that a scrape takes."""


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses=_ANSWERS,
    dependencies=[acts(Action.READ_METRICS)],
)
async def metrics(request: Request) -> Response:
    """Values that cannot be measured within seconds are missing: of a database that is away, for example."""
    processes: Processes = request.app.state.processes
    reason, (counted, queue, space, wrong, last, clocks) = await asyncio.gather(
        why_not_ready(processes), asyncio.to_thread(_measured)
    )
    families = [
        _gauge("cellar_ready", "1 while the receiver stores payloads and triggers runs.", int(reason is None)),
        _gauge("cellar_database_up", "1 while the database answers.", int(counted is not None)),
        _gauge("cellar_receiver_processes", "Processes that serve the receiver's port.", processes.serving),
        *process_metrics(processes.pids),
        _gauge("cellar_deliveries_in_flight", "Deliveries that are being received.", processes.in_flight[0]),
        _gauge("cellar_in_flight_bytes", "Announced or received bytes of these deliveries.", processes.in_flight[1]),
        *(_of_database(counted) if counted else ()),
        *(_of_inbox(queue, datetime.now(UTC)) if queue else ()),
        *(_of_disks(space) if space else ()),
        *(_of_conditions(wrong[0], wrong[1], datetime.now(UTC)) if wrong else ()),
        *(_of_anchor(*last[:2]) if last else ()),
        *(_of_backups(*last[2:]) if last else ()),
        *(_of_clocks(clocks) if clocks is not None else ()),
    ]
    return Response(shared_exposition(families), media_type=CONTENT_TYPE)


def _measured() -> tuple[Any, ...]:
    """Return what is measured, None for what cannot be measured within two seconds."""
    for each in _MEASURED:
        each.begin()
    deadline_s = time.monotonic() + _PATIENCE_S
    return tuple(each.value(deadline_s - time.monotonic()) for each in _MEASURED)


def _of_database(counted: Counts) -> Iterable[Metric]:
    yield _labelled("cellar_archives", "Archives, by state.", ["state"], counted.archives)
    yield _labelled("cellar_discrepancies", "Discrepancies.", ["code", "state"], counted.discrepancies)
    yield _labelled("cellar_notifications", "Messages about archives, by state.", ["state"], counted.notifications)


def _of_inbox(queue: Backlog, now: datetime) -> Iterable[Metric]:
    """Yield the gauges of the inbox. Their last seconds' value is aged to this moment."""
    age_s = max(0.0, (now - queue.oldest_at).total_seconds()) if queue.oldest_at else 0.0
    yield _gauge("cellar_waiting_receipts", "Receipts in the inbox, also of failed archives.", queue.receipts)
    yield _gauge("cellar_oldest_waiting_receipt_age_seconds", "Age of the oldest of them.", age_s)


def _of_disks(space: Mapping[str, Disk]) -> Iterable[Metric]:
    free: dict[tuple[str, ...], int] = {(place,): disk.free_bytes for place, disk in space.items()}
    yield _labelled("cellar_disk_free_bytes", "Free bytes of the disk of a folder.", ["place"], free)
    sizes: dict[tuple[str, ...], int] = {(place,): disk.size_bytes for place, disk in space.items()}
    yield _labelled("cellar_disk_size_bytes", "Size of the disk of a folder.", ["place"], sizes)


def _of_conditions(groups: Sequence[ConditionGroup], checked_at: datetime | None, now: datetime) -> Iterable[Metric]:
    """Yield the gauges of what is wrong, and of the last check. Findings are by their fault.

    While no process is missing, the time left is infinite.
    """
    subjects, findings = Counter[tuple[str, ...]](), Counter[str]()
    subjects.update(dict.fromkeys(every_label(), 0))
    for each in groups:
        subjects[each.kind, each.code, each.severity] += each.subjects
        findings[each.code] += each.count
    what = "What is wrong now, by what it concerns: archives, the store, deliveries, processes, endpoints."
    yield _labelled("cellar_conditions", what, ["kind", "code", "severity"], subjects)
    by_fault: dict[tuple[str, ...], int] = {(fault,): findings[code] for fault, code in OF_FAULTS.items()}
    yield _labelled("cellar_store_findings", "Findings of checks of the store that stand.", ["fault"], by_fault)
    waits: dict[tuple[str, ...], int] = dict.fromkeys(((each,) for each in System), 0)
    waits |= {(each.key,): each.subjects for each in groups if each.code == DerivedCode.SYSTEM_AWAY}
    what = "Runs that wait to be tried again, by the system that was away."
    yield _labelled("cellar_waiting_runs", what, ["waits_for"], waits)
    missing = [each for each in groups if each.code == DerivedCode.PROCESS_MISSING]
    processes: dict[tuple[str, ...], int] = dict.fromkeys(((DEFAULT_SOURCE, why) for why in Why), 0)
    processes |= {(each.key, each.values["why"]): each.subjects for each in missing}
    yield _labelled("cellar_missing_processes", "Missing processes.", ["source", "why"], processes)
    left = min(((each.values["deadline_at"] - now).total_seconds() for each in missing), default=math.inf)
    what = "Seconds until Cellosign deletes the first of the missing processes; infinite while none is missing."
    yield _gauge("cellar_missing_deadline_seconds", what, max(0.0, left))
    if checked_at is not None:
        what = "Time of the last check of the store."
        yield _gauge("cellar_store_checked_timestamp_seconds", what, checked_at.timestamp())


def _of_anchor(anchor: LastAnchor | None, compared: Comparison | None) -> Iterable[Metric]:
    if anchor:
        yield _gauge("cellar_anchor_timestamp_seconds", "Time of the last anchor.", anchor.at.timestamp())
        lacks = "Time stamps and copies at the witness that the last anchor lacks."
        yield _gauge("cellar_anchor_lacks", lacks, len(anchor.lacks))
    if compared and compared.at:
        what = "Time of the last comparison of the store with an anchor."
        yield _gauge("cellar_store_compared_timestamp_seconds", what, compared.at.timestamp())
        what = "Archives that the anchor of the last comparison does not cover."
        yield _gauge("cellar_store_uncovered_archives", what, compared.uncovered)


def _of_backups(backup: LastBackup | None, drill: LastDrill | None) -> Iterable[Metric]:
    if backup and backup.at:
        yield _gauge("cellar_backup_timestamp_seconds", "Time of the last finished backup.", backup.at.timestamp())
        yield _gauge("cellar_backup_lacks", "Files that the last backup lacks.", backup.lacks)
    if drill:
        what = "Time of the last drill, in which a backup was restored elsewhere."
        yield _gauge("cellar_drill_timestamp_seconds", what, drill.at.timestamp())
        yield _gauge("cellar_drill_well", "1 if the last drill restored what is here.", int(drill.is_well))


def _of_clocks(warnings: Iterable[ClockWarning]) -> Iterable[Metric]:
    ahead: dict[tuple[str, ...], int] = {(each.source,): each.fault.ahead_s for each in warnings}
    what = "How far the times of a source are ahead of their arrival, where another time zone explains it."
    yield _labelled("cellar_source_clock_ahead_seconds", what, ["source"], ahead)


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, value=value)


def _labelled(name: str, what: str, labels: list[str], values: Mapping[tuple[str, ...], int]) -> Metric:
    family = GaugeMetricFamily(name, what, labels=labels)
    for each, value in values.items():
        family.add_metric(each, value)
    return family
