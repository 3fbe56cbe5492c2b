"""Announces missing processes: each finding once when it opens, and once at each alert before its deadline."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from adapters.platform.cancellation import checkpoint
from adapters.settings.settings import settings
from adapters.tables.completeness import missing_processes
from domain.completeness.missing import alert_due
from domain.messages.bodies import process_missing
from models.completeness.processes import MissingProcessRow
from models.messages.event import Event, EventType
from services.messages.events import announce


@dataclass(frozen=True, slots=True)
class Alerted:
    """What a round announced: findings that are new, findings with the hours of their alert (24, 12 or 2), and the
    events about all of them.
    """

    opened: Sequence[MissingProcessRow]
    alerts: Sequence[tuple[MissingProcessRow, int]]
    events: Sequence[Event]


def announce_missing(now: datetime) -> Alerted:
    """Announce the new findings and the alerts that are due, the nearest deadline first, and return them.

    An event is planned before the finding says so: a process that is killed in between repeats the event, which has the
    same message ids, so nobody hears it twice.
    """
    opened, events = missing_processes.unannounced(now), list[Event]()
    for each in opened:
        checkpoint()
        events.append(_event(each, "opened", now))
        announce(events[-1])
        missing_processes.set_announced(each.missing_id, now)
    alerts = []
    for each in missing_processes.nearing(now):
        checkpoint()
        hours = alert_due(each.deadline_at, each.alerted_h, now)
        if hours is not None:
            events.append(_event(each, f"{each.deadline_at:%Y%m%dT%H%M%S}.{hours}h", now))
            announce(events[-1])
            missing_processes.set_alerted(each.missing_id, hours, each.deadline_at)
            alerts.append((each, hours))
    return Alerted(opened, alerts, events)


def missing_url() -> str:
    """Return the address of the open findings in the JSON API."""
    return f"{settings().receiver_url}/api/missing?state=open"


def _event(finding: MissingProcessRow, what: str, now: datetime) -> Event:
    """Return the event about a finding. Its subject tells the opening and the alerts of each deadline apart."""
    return Event(
        EventType.PROCESS_MISSING,
        f"{finding.missing_id}.{what}",
        now,
        process_missing(finding, url=missing_url(), at=now),
        finding.reference or "",
        finding.source,
    )
