"""The flow `sweep-inbox`: makes sure that every delivery in the inbox has a run, and reports refused deliveries.

The receiver triggers the deliveries that it takes in. This flow also asks Prefect what has become of their runs, and it
works where no receiver runs.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from prefect import flow, get_run_logger

from adapters.platform.cancellation import in_thread
from flows.execution.reporting import emit
from flows.execution.results import RESULTS
from flows.execution.tasks import without_text
from models.runs.receipt import Delivery
from models.runs.run import Trigger
from services.batches.batches import restart_drivers
from services.batches.driving import settle_aborted
from services.completeness.taking_in import take_in_left
from services.messages.endpoints import forget_old_keys
from services.messages.events import announce_failures, announce_refused
from services.triggering.refused import list_all_refused
from services.triggering.reruns import end_lost_waits, start_asked
from services.triggering.trigger import forgotten, together, trigger, untriggered

DEPLOYMENT = "sweep-inbox/scheduled"


# The flow keeps no result. Without `result_storage`, Prefect would ask its server for a storage, which blocks the loop.
@flow(name="sweep-inbox", result_storage=RESULTS, persist_result=False)
@without_text
async def sweep_inbox() -> None:
    """Start a run for each delivery in the inbox that has no run, or whose run has ended or is unknown to Prefect.

    A delivery whose run has failed, or was cancelled by a person, waits for a person or for the next delivery. A batch
    whose driver is gone gets a new driver, and the record of an aborted batch is completed. A re-run that waits for
    Prefect is started. A run that waits and is gone is replaced, or forgotten if a person cancelled it.
    Failures and refused deliveries that no event has told are announced. Signing keys of endpoints are forgotten when
    their overlap is over.
    """
    log = get_run_logger()
    log.info("%d deliveries had no run and have one now", await _trigger_all(await untriggered()))
    log.info(
        "%d deliveries had a run that is over or unknown to Prefect, and have a new run",
        await _trigger_all(await forgotten()),
    )
    log.info("%d records of refused deliveries are in the database now", await list_all_refused())
    failures = await in_thread(announce_failures, datetime.now(UTC))
    log.info("%d failures of archives were not announced, and are now", len(failures))
    emit(failures + await in_thread(announce_refused, datetime.now(UTC)))
    log.info("%d batches had lost their driver and have a new driver", await restart_drivers())
    await settle_aborted()
    log.info("%d re-runs that people had asked for while Prefect was away have a run now", await start_asked())
    log.info("%d runs that waited to be tried again were gone", await end_lost_waits())
    await asyncio.to_thread(forget_old_keys, datetime.now(UTC))
    # Last, since no other step needs the store.
    log.info("%d session events that no receiver had taken in are in store and database now", await take_in_left())


async def _trigger_all(deliveries: Sequence[Delivery]) -> int:
    return sum([await trigger(delivery, Trigger.SWEEP, again) for delivery, *again in together(deliveries)])
