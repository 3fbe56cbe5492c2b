"""The flow `sweep-inbox`: makes sure that every delivery in the inbox has a run, and reports refused deliveries.

The receiver triggers the deliveries that it takes in. This flow also asks Prefect what has become of their runs, and it
works where no receiver runs.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from adapters.platform.cancellation import in_thread
from adapters.store import happened
from flows.execution.engine import done_by
from flows.execution.tasks import counted, emit, name_run, of_cellar
from models.runs.receipt import Delivery, Trigger
from services.backups import tombstones
from services.batches.batches import restart_drivers, settle_aborted
from services.completeness.session_events import take_in_left
from services.erasure import removing
from services.messages.deliveries import keep_left_histories
from services.messages.endpoints import forget_old_keys
from services.messages.events import announce_failures, announce_refused
from services.triggering.refused import list_all_refused
from services.triggering.reruns import end_lost_waits, start_asked
from services.triggering.trigger import forgotten, together, trigger, untriggered

DEPLOYMENT = "sweep-inbox/scheduled"


@of_cellar("sweep-inbox", "sweep the inbox")
async def sweep_inbox() -> None:
    """Start a run for each delivery in the inbox that has no run, or whose run has ended or is unknown to Prefect.

    A delivery whose run has failed, or was cancelled by a person, waits for a person or for the next delivery. A batch
    whose driver is gone gets a new driver, and the record of an aborted batch is completed. A re-run that waits for
    Prefect is started. A run that waits and is gone is replaced, or forgotten if a person cancelled it.
    Failures and refused deliveries that no event has told are announced. Signing keys of endpoints are forgotten when
    their overlap is over. Tombstones are brought to the backups, if their place was away.
    """
    await name_run(await done_by(sweep))


async def sweep() -> list[str]:
    """Sweep the inbox as `sweep_inbox` says, and return what that did, with its numbers."""
    started = await _trigger_all(await untriggered())
    replaced = await _trigger_all(await forgotten())
    listed = await list_all_refused()
    failures = await in_thread(announce_failures, datetime.now(UTC))
    refused = await in_thread(announce_refused, datetime.now(UTC))
    emit(failures + refused)
    drivers = await restart_drivers()
    await settle_aborted()
    asked = await start_asked()
    lost = await end_lost_waits()
    keys = await asyncio.to_thread(forget_old_keys, datetime.now(UTC))
    erased = await asyncio.to_thread(removing.remove_left, datetime.now(UTC))
    await asyncio.to_thread(removing.forget_told)
    did = (
        ("started", started, "run"),
        ("replaced", replaced, "run"),
        ("listed", listed, "refusal"),
        ("announced", len(failures), "failure"),
        ("announced", len(refused), "refusal message"),
        ("restarted", drivers, "batch driver"),
        ("started", asked, "re-run"),
        ("replaced", lost, "waiting run"),
        ("forgot the old keys of", keys, "endpoint"),
        ("ended", erased, "erasure"),
        # Last, since no other step needs the store.
        ("took in", await take_in_left(), "session event"),
    )
    await in_thread(keep_left_histories)
    await in_thread(happened.keep_all)
    await in_thread(tombstones.send_left, datetime.now(UTC))
    return [f"{verb} {counted(number, noun)}" for verb, number, noun in did if number]


async def _trigger_all(deliveries: Sequence[Delivery]) -> int:
    return sum([await trigger(delivery, Trigger.SWEEP, again) for delivery, *again in together(deliveries)])
