"""`GET /metrics`: what Prometheus reads."""

import asyncio
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from adapters.anchors.witness import LastAnchor, last_anchor
from adapters.database.counts import Counts, counts
from adapters.files.disks import Disk, disks
from adapters.inbox.inbox import Backlog, backlog
from adapters.observation.metrics import CONTENT_TYPE, process_metrics, shared_exposition
from adapters.tables import conditions
from api.authorization import API_TOKEN
from api.errors import READERS_FAILURES, Responses
from api.receiver.fellows import Fellows
from api.receiver.health import why_not_ready
from models.sources import ClockWarning
from models.store.condition import OF_FAULTS, ConditionCode, Subject
from models.views.troubles import ConditionGroup
from services.monitoring.measuring import Measurement
from services.sources import clock_warnings

router = APIRouter(tags=["health"], dependencies=[Depends(API_TOKEN)])
_ANSWERS: Responses = {
    200: {
        "description": "The metrics, in the text format of Prometheus.",
        "content": {CONTENT_TYPE: {"schema": {"type": "string"}}},
    },
    401: READERS_FAILURES[401],
}

_database = Measurement("database", counts)
_inbox = Measurement("inbox", backlog)
_disks = Measurement("disks", disks)
_conditions = Measurement("conditions", lambda: (conditions.groups(), conditions.stored_object().checked_at))
_anchors = Measurement("anchors", last_anchor)
_clocks = Measurement("clocks", clock_warnings)


@router.get("/metrics", summary="Metrics for Prometheus", response_class=Response, responses=_ANSWERS)
async def metrics(request: Request) -> Response:
    """Values that cannot be measured within seconds are missing: of a database that is away, for example."""
    fellows: Fellows = request.app.state.fellows
    (reason, counted, queue, space, wrong, anchor), clocks = await asyncio.gather(
        asyncio.gather(
            why_not_ready(fellows),
            _database.recent(),
            _inbox.recent(),
            _disks.recent(),
            _conditions.recent(),
            _anchors.recent(),
        ),
        _clocks.recent(),
    )
    families = [
        _gauge("cellar_ready", "1 while the receiver stores payloads and triggers runs.", int(reason is None)),
        _gauge("cellar_database_up", "1 while the database answers.", int(counted is not None)),
        _gauge("cellar_receiver_processes", "Processes that serve the receiver's port.", fellows.serving),
        *process_metrics(fellows.pids),
        *_in_flight(fellows),
        *(_of_database(counted) if counted else ()),
        *(_of_missing(counted, datetime.now(UTC)) if counted else ()),
        *(_of_inbox(queue, datetime.now(UTC)) if queue else ()),
        *(_of_disks(space) if space else ()),
        *(_of_conditions(*wrong) if wrong else ()),
        *(_of_anchor(anchor) if anchor else ()),
        *(_of_clocks(clocks) if clocks is not None else ()),
    ]
    return Response(shared_exposition(families), media_type=CONTENT_TYPE)


def _in_flight(fellows: Fellows) -> Iterable[Metric]:
    requests, size_bytes = fellows.in_flight
    yield _gauge("cellar_deliveries_in_flight", "Deliveries that are being received.", requests)
    yield _gauge("cellar_in_flight_bytes", "Announced or received bytes of these deliveries.", size_bytes)


def _of_database(counted: Counts) -> Iterable[Metric]:
    yield _labelled("cellar_archives", "Archives, by state.", ["state"], counted.archives)
    yield _labelled("cellar_discrepancies", "Discrepancies.", ["code", "state"], counted.discrepancies)
    yield _labelled("cellar_notifications", "Messages about archives, by state.", ["state"], counted.notifications)
    what = "Runs that wait to be tried again, by the system that was away."
    yield _labelled("cellar_waiting_runs", what, ["waits_for"], counted.waiting_runs)


def _of_missing(counted: Counts, now: datetime) -> Iterable[Metric]:
    """Yield the gauges of missing processes. While none is missing, the time left is infinite."""
    yield _labelled("cellar_missing_processes", "Missing processes.", ["source", "why"], counted.missing)
    at = counted.nearest_deadline_at
    left = max(0.0, (at - now).total_seconds()) if at else math.inf
    what = "Seconds until Cellosign deletes the first of the missing processes; infinite while none is missing."
    yield _gauge("cellar_missing_deadline_seconds", what, left)


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


def _of_conditions(groups: Iterable[ConditionGroup], checked_at: datetime | None) -> Iterable[Metric]:
    """Yield the gauges of what is wrong with archives and store, and of the last check. Findings are by their fault."""
    subjects, findings = Counter[tuple[str, ...]](), Counter[ConditionCode]()
    subjects.update({(kind, code): 0 for kind in Subject for code in ConditionCode})
    for each in groups:
        subjects[each.kind, each.code] += each.subjects
        findings[each.code] += each.count
    yield _labelled("cellar_conditions", "Archives, and the store, with a condition.", ["kind", "code"], subjects)
    by_fault: dict[tuple[str, ...], int] = {(fault,): findings[code] for fault, code in OF_FAULTS.items()}
    yield _labelled("cellar_store_findings", "Findings of checks of the store that stand.", ["fault"], by_fault)
    if checked_at is not None:
        what = "Time of the last check of the store."
        yield _gauge("cellar_store_checked_timestamp_seconds", what, checked_at.timestamp())


def _of_anchor(anchor: LastAnchor) -> Iterable[Metric]:
    yield _gauge("cellar_anchor_timestamp_seconds", "Time of the last anchor.", anchor.at.timestamp())
    lacks = "Time stamps and copies at the witness that the last anchor lacks."
    yield _gauge("cellar_anchor_lacks", lacks, len(anchor.lacks))


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
