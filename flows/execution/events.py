"""Emits cellar's events to Prefect.

Prefect's client keeps them in a queue of this process and sends them from a thread of its own, beside the events of
task runs. So an event costs a run no request, and Prefect that is away fails no run.
"""

from collections.abc import Iterable

from prefect.events import emit_event

from models.messages.event import Event
from services.messages.events import prefect_event


def emit(events: Iterable[Event]) -> None:
    """Emit events, under the names of their types with `cellar.` before them. Never waits, and raises nothing."""
    for each in events:
        emit_event(**prefect_event(each))
