"""Lets new archives go first: work in bulk pauses between two chunks while its worker archives something else."""

import time
from collections.abc import Mapping

from adapters.platform.cancellation import clock
from flows.execution.engine import Execution
from flows.import_archives import import_archives
from flows.process_archive import process_archive
from models.runs.receipt import Trigger

_IN_BULK = f"trigger:{Trigger.BULK}"
_PAUSES_FOR_S, _GOES_ON_FOR_S, _LOOKS_EACH_S = 2.0, 0.5, 0.01


def is_in_bulk(execution: Execution) -> bool:
    """Return whether a run imports archives, or belongs to a bulk re-run."""
    return execution.flow_name == import_archives.name or _IN_BULK in execution.flow_run.tags


class GivingWay:
    """What the runs in bulk of a worker do at each checkpoint that may pause. They hold no transaction there.

    Under a stream of new archives that never ends, they pause for two seconds, and go on for half a second.
    """

    def __init__(self, live: Mapping[str, Execution]) -> None:
        self._live = live
        self._goes_on_until_s = 0.0

    def pause(self) -> None:
        """Wait, in a thread, while this worker archives what is not in bulk."""
        began_s = clock()
        while clock() >= self._goes_on_until_s and self._archives_other():
            if clock() - began_s >= _PAUSES_FOR_S:
                self._goes_on_until_s = clock() + _GOES_ON_FOR_S
            time.sleep(_LOOKS_EACH_S)

    def _archives_other(self) -> bool:
        return any(
            each.holds_slot and each.flow_name == process_archive.name and not is_in_bulk(each)
            for each in list(self._live.values())
        )
