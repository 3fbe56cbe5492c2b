"""The flows `rerun-archives`, which plans a bulk re-run, and `drive-batch`, which drives any batch to its end.

The list and the state of every item are in the database. A driver that is killed goes on where it was, in the next
attempt, or in a new run that the flow `sweep-inbox` starts.
"""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal

from prefect import get_run_logger
from prefect.artifacts import acreate_table_artifact
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed
from pydantic import StrictBool

from adapters.platform.cancellation import in_thread
from adapters.settings.settings import settings
from adapters.tables.batches import batches as rows
from domain.batches import WORDS, explained
from flows.execution.engine import is_cancelled_by_person, leave_slot
from flows.execution.tasks import PREFECT, ProgressArtifact, of_cellar, optional_summary, record_start, starter
from models.access import Action
from models.archive.archive import State
from models.errors import Refused, Transient
from models.runs.batch import BatchAction, BatchKind, BatchState
from models.views.archives.archives import ArchiveFilter
from models.views.batch import BatchView
from models.views.parameters import Text, read_moment
from services.batches import batches

_CONFIRMED_WITHIN_S = 60
_CONFIRMED_LOOK_S = 0.1
_THOROUGH_EACH_S = 30
_AWAY_PAUSE_S = 2


@of_cellar("rerun-archives")
async def rerun_archives(  # noqa: PLR0913, PLR0917 -- a parameter per field of the form
    state: Literal["failed", "completed"] = "failed",
    cause: Text | None = None,
    template: Text | None = None,
    source: Text | None = None,
    since: Text | None = None,
    until: Text | None = None,
    dry_run: StrictBool = True,
    bulk: Text | None = None,
) -> Any:
    """Run all archives again that match every filter. With a dry run, only plan.

    The run ends Failed if some archives failed again, and Cancelled if the bulk re-run was aborted.

    Args:
        state: The state of the archives.
        cause: The code of the cause of their failure, like STORE_AWAY. None: any cause.
        template: A template id. None: any template.
        source: The name of a source. None: all sources.
        since: Only archives that arrived after this time: 2026-11-24, 2026-11-24T10:30, yesterday or 7d.
        until: Only archives that arrived before this time.
        dry_run: Only plan: the artifact `batch-plan-…` shows what would be run again. Nothing runs.
        bulk: The id of a plan to run, or of a bulk re-run to go on with. The filters above are ignored then.

    Raises:
        Refused: `bulk` is no batch, or a time is no time.
    """
    leave_slot(only_starts_runs=True)
    await in_thread(record_start, Action.RERUN)
    if bulk is None:
        filters = {"cause": cause, "template": template, "source": source}
        after, before = _moment("since", since), _moment("until", until)
        chosen = ArchiveFilter(state=State(state), received_after=after, received_before=before, **filters)
        plan_id = str(flow_run.id).replace("-", "")[-12:]  # by which a later attempt of this run finds its plan again
        bulk = (await in_thread(batches.plan, BatchKind.RERUN, chosen, starter().name, plan_id)).id
    found = await in_thread(batches.view, bulk)
    if found.kind == BatchKind.ERASE:
        raise Refused("UNKNOWN_BATCH", "expected a bulk re-run; an erasure is confirmed in the console", where="bulk")
    await _show_plan(found)
    if dry_run:
        return None
    if found.state == BatchState.PLANNED:
        with suppress(Refused):  # confirmed before: by an earlier attempt of this run, or by a person
            await in_thread(batches.freeze, bulk, starter().name)
    return await _drive(bulk)


@of_cellar("drive-batch")
async def drive_batch(batch: Text) -> Any:
    """Drive a batch whose plan is being confirmed, or go on with it. It never confirms a plan itself.

    The run ends Failed if some items failed, and Cancelled if the batch was aborted.

    Args:
        batch: The id of the batch.

    Raises:
        Refused: there is no such batch, or its plan stays a plan: its confirmation was killed or came too late.
    """
    leave_slot(only_starts_runs=True)
    deadline = time.monotonic() + _CONFIRMED_WITHIN_S
    while (await in_thread(batches.get, batch)).state == BatchState.PLANNED:
        if time.monotonic() > deadline:
            raise Refused("NOT_CONFIRMED", f"the list of plan {batch} was not frozen; confirm the plan again")
        await asyncio.sleep(_CONFIRMED_LOOK_S)
    return await _drive(batch)


def _moment(name: str, text: str | None) -> datetime | None:
    """Return a time that a person wrote into the form of a run."""
    try:
        return read_moment(text, settings().zone, datetime.now(UTC)) if text else None
    except ValueError as error:
        raise Refused("BAD_PARAMETER", str(error), where=name) from None


async def _drive(batch_id: str) -> Any:
    log = get_run_logger()
    await in_thread(rows.set_driver, batch_id, flow_run.id)  # an earlier driver notices, and ends
    progress = ProgressArtifact(f"batch-{batch_id}")
    try:
        await _until_over(batch_id, progress)
    except asyncio.CancelledError:
        if is_cancelled_by_person():
            with suppress(Refused, Transient):  # aborted before; or the sweep aborts it, as its driver is Cancelled
                await asyncio.to_thread(batches.change, BatchAction.ABORT, batch_id, PREFECT)
                await _show(progress, batch_id)
        raise
    found = await _show(progress, batch_id)
    log.info("Batch %s is %s: %s", batch_id, found.state, _counts(found))
    if found.state not in (BatchState.ABORTED, BatchState.DONE):
        return Completed(message=f"Another run drives batch {batch_id} now.")
    if found.state == BatchState.ABORTED:
        return Cancelled(message=f"Batch {batch_id} was aborted: {_counts(found)}.")
    if found.failed:
        await _show_failures(batch_id)
        failed = f"{found.failed} of {found.planned} {WORDS[found.kind].items} failed"
        return Failed(message=f"{failed}; `cellar bulk show {batch_id}` names them and says why.")
    return None


async def _until_over(batch_id: str, progress: ProgressArtifact) -> None:
    """Take step after step. While database or Prefect are away, nothing is lost, and the steps go on later."""
    thorough_at_s = 0.0
    while True:
        is_thorough = time.monotonic() >= thorough_at_s
        try:
            standing = await batches.step(batch_id, flow_run.id, thoroughly=is_thorough)
            if is_thorough:
                thorough_at_s = time.monotonic() + _THOROUGH_EACH_S
            if progress.is_due():
                await _show(progress, batch_id)
        except Transient as error:
            get_run_logger().warning("A step is tried again: %s", error)
            thorough_at_s = 0.0  # a request for a run may have been interrupted
            await asyncio.sleep(_AWAY_PAUSE_S)
            continue
        if standing.is_over:
            return
        await asyncio.sleep(standing.pause_s)


async def _show(artifact: ProgressArtifact, batch_id: str) -> BatchView:
    """Show how far the batch is, and return it."""
    found = await in_thread(batches.view, batch_id)
    share = (found.done + found.failed) / found.planned if found.planned else 1.0
    await artifact.show(share, f"{found.state}: {_counts(found)}")
    return found


async def _show_plan(found: BatchView) -> None:
    words = WORDS[found.kind]
    counted = [{"what": what, "which": which, words.items: number} for what, which, number in words.rows(found.plan)]
    sentences = list(explained(found.kind, found.plan))
    for sentence in sentences:
        get_run_logger().info(sentence)
    with optional_summary():
        how = f"To run this plan, run the deployment with `bulk` = `{found.id}` and without dry run."
        description = " ".join([*sentences, how])
        await acreate_table_artifact(counted, key=f"batch-plan-{found.id}", description=description)


async def _show_failures(batch_id: str) -> None:
    failures = await in_thread(rows.failures, batch_id)
    table = [{"cause": code, "sentence": sentence, "items": number} for code, sentence, number in failures]
    with optional_summary():
        await acreate_table_artifact(table, key=f"batch-failures-{batch_id}", description="Why items failed")


def _counts(found: BatchView) -> str:
    return (
        f"{found.planned} {WORDS[found.kind].items}, {found.completed} completed, {found.skipped} skipped, "
        f"{found.failed} failed, {found.started} on their way, {found.queued} queued"
    )
