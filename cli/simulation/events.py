"""The session events of simulated processes, and the archives that are left out, as if they had never arrived."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cli.simulation.payloads.session_events import Ending, SimulatedEvent, events_of

_ENDINGS = (Ending.SUBMITTED, Ending.SUBMITTED, Ending.EXPIRED, Ending.DELETED)
"""Of the processes whose archive is left out, in turn."""


def events_before(body: bytes, *, left_out: int | None) -> list[SimulatedEvent]:
    """Return the session events of a process in the order of their times; without sessions that state no times.

    Args:
        body: the archive of the process.
        left_out: the number of the archive among those that are left out, None if it is sent.
    """
    ending = Ending.SUBMITTED if left_out is None else _ENDINGS[left_out % len(_ENDINGS)]
    return events_of(list(_sessions(body)), ending)


@dataclass(frozen=True)
class Events:
    """The session events that were sent and acknowledged, and the references of the archives that were left out."""

    sent: int = 0
    acknowledged: int = 0
    left_out: tuple[str, ...] = ()

    def after(self, statuses: Sequence[str]) -> "Events":
        """Return what became of all events, after the answers to further events, by their status."""
        acknowledged = sum(each == "0" for each in statuses)
        return replace(self, sent=self.sent + len(statuses), acknowledged=self.acknowledged + acknowledged)

    def without(self, reference: str) -> "Events":
        return replace(self, left_out=(*self.left_out, reference))


def _sessions(body: bytes) -> Iterator[dict[str, Any]]:
    try:
        document = json.loads(body)
    except ValueError:
        return  # a simulated archive that is no JSON
    sessions = document.get("sessions") if isinstance(document, dict) else None
    for each in sessions if isinstance(sessions, list) else ():
        if isinstance(each, dict) and _states_its_times(each):
            yield each


def _states_its_times(session: dict[str, Any]) -> bool:
    try:
        return all(datetime.fromisoformat(session[name]) for name in ("created_at", "submitted_at"))
    except (KeyError, TypeError, ValueError):  # a faulty archive
        return False
