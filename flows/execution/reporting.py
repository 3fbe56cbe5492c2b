"""Shows people in Prefect what happened: events and summaries. Neither fails a run.

Prefect's client keeps events in a queue of this process and sends them from a thread of its own, beside the events of
task runs. So an event costs a run no request.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from prefect import get_run_logger
from prefect.events import emit_event

from models.messages.event import Event
from services.messages.events import prefect_event


def emit(events: Iterable[Event]) -> None:
    """Emit events, under the names of their types with `cellar.` before them. Never waits, and raises nothing."""
    for each in events:
        emit_event(**prefect_event(each))


@contextmanager
def optional_summary() -> Iterator[None]:
    """Go on with a warning if the block cannot make a summary and leave it in Prefect.

    A summary only shows what is recorded elsewhere. Its failure must not fail a run, nor hide why the run failed.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001 -- a summary renders any archive, and no list of errors is complete
        # Only the class: the message of an unknown error may repeat a value from a payload.
        get_run_logger().warning("The run has no summary: %s", type(error).__name__)
