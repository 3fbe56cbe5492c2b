"""Begins the work of housekeeping before its run, and deletes the run if there was nothing to do.

So Prefect's schedules stay the clock of housekeeping, and its runs are those that did something. A stock worker
executes every scheduled run, and each of them stays.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any

import structlog
from prefect.client.orchestration import PrefectClient
from prefect.exceptions import ObjectNotFound

from adapters.observation.metrics import HOUSEKEEPING
from flows.deliver_messages import deliver, deliver_messages
from flows.execution.engine import BY_ITSELF, Execution
from flows.find_missing import find_missing, search
from flows.import_reports import import_reports, new_reports
from flows.notify_people import notify_people, send_letters
from flows.sweep_inbox import sweep, sweep_inbox

log = structlog.get_logger()

_WORKS: Mapping[str, Callable[..., Coroutine[Any, Any, list[Any]]]] = {
    deliver_messages.name: deliver,
    find_missing.name: search,
    import_reports.name: new_reports,
    notify_people.name: send_letters,
    sweep_inbox.name: sweep,
}
_SHOWN_AFTER_S = 2


class Housekeeping:
    """The housekeeping of this worker, and which of it failed last."""

    def __init__(self, client: PrefectClient) -> None:
        self._client = client
        self._failing = set[str]()
        for name in _WORKS:  # housekeeping that never ends well must look old too
            HOUSEKEEPING.labels(name).set_to_current_time()

    async def leaves_no_run(self, execution: Execution) -> bool:
        """Begin the work of a claimed run that nobody asked for. Delete the run if it has ended with nothing to show.

        Work that takes longer than two seconds is shown as a run. So is its first failure; while it goes on failing,
        an outage leaves no further runs.

        Raises:
            HTTPError, PrefectException: Prefect does not answer.
        """
        name, flow_run = execution.flow_name, execution.flow_run
        if name not in _WORKS or BY_ITSELF not in flow_run.tags or flow_run.run_count:
            return False
        was_failing = self._key(execution) in self._failing
        begun = execution.begin(_WORKS[name](**flow_run.parameters))
        begun.add_done_callback(lambda ended: self._note(execution, ended))
        await asyncio.wait({begun}, timeout=_SHOWN_AFTER_S)
        if not begun.done():
            return False
        if error := begun.exception():
            if not was_failing:
                return False
            log.warning("housekeeping fails again, and leaves no run", flow=name, why=type(error).__name__)
        elif begun.result():
            return False
        with suppress(ObjectNotFound):
            await self._client.delete_flow_run(flow_run.id)
        return True

    def _note(self, execution: Execution, ended: "asyncio.Task[list[Any]]") -> None:
        if ended.cancelled():
            return
        if ended.exception():
            self._failing.add(self._key(execution))
        else:
            self._failing.discard(self._key(execution))
            HOUSEKEEPING.labels(execution.flow_name).set_to_current_time()

    def _key(self, execution: Execution) -> str:
        return f"{execution.flow_name} {execution.flow_run.parameters}"  # an endpoint fails on its own
