"""The flow `rerun-archives`: plans a bulk re-run, and drives it to its end.

The list and the state of every archive are in the database. A run of this flow that is killed goes on where it was, in
the next attempt, or in a new run that the flow `sweep-inbox` starts.
"""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from prefect import flow, get_run_logger
from prefect.artifacts import acreate_progress_artifact, acreate_table_artifact, aupdate_progress_artifact
from prefect.context import FlowRunContext
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed
from pydantic import StrictBool

from adapters.peers.prefect_api import HANDED_OVER
from adapters.platform.cancellation import in_thread
from adapters.settings.settings import settings
from adapters.tables.bulk import bulk_items, bulk_reruns
from domain.bulk.plan_text import plan_rows, plan_sentences
from flows.execution.engine import is_cancelled_by_person, only_start_runs
from flows.execution.reporting import optional_summary
from flows.execution.results import RESULTS
from flows.execution.tasks import without_text
from models.archive.archive import State
from models.errors import Refused, Transient
from models.runs.bulk import BulkState
from models.views.archives.archives import ArchiveFilter
from models.views.bulk import BulkView, PlanView
from models.views.parameters import Text, read_moment
from services.bulk import control, driving, planning, records

_PREFECT = "prefect"
_CONFIRMED_WITHIN_S = 60
_STEP_S = 0.2
_QUIET_STEP_S = 1.0
_SHOWN_EACH_S = 3
_LOST_LOOK_S = 30
_AWAY_PAUSE_S = 2


@flow(name="rerun-archives", result_storage=RESULTS, persist_result=False)
@without_text
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
        dry_run: Only plan: the artifact `bulk-plan-…` shows what would be run again. Nothing runs.
        bulk: The id of a plan to run, or of a bulk re-run to go on with. The filters above are ignored then.

    Raises:
        Refused: `bulk` is no bulk re-run, or a time is no time.
        Transient: the database does not answer.
    """
    only_start_runs()
    if bulk is None:
        filters = {"cause": cause, "template": template, "source": source}
        after, before = _moment("since", since), _moment("until", until)
        chosen = ArchiveFilter(state=State(state), received_after=after, received_before=before, **filters)
        row = await in_thread(planning.plan, chosen, _person(), _id_of_this_run())
    else:
        row = await in_thread(planning.get, bulk)
    if HANDED_OVER in flow_run.tags:
        await _until_confirmed(row.id)
        return await _drive(row.id)
    await _show_plan(row.id, PlanView.model_validate(row.plan))
    if dry_run:
        return None
    if row.state == BulkState.PLANNED:
        with suppress(Refused):  # confirmed before: by an earlier attempt of this run, or by a person
            await in_thread(planning.freeze, row.id, _person())
    return await _drive(row.id)


def _moment(name: str, text: str | None) -> datetime | None:
    """Return a time that a person wrote into the form of a run."""
    try:
        return read_moment(text, settings().zone, datetime.now(UTC)) if text else None
    except ValueError as error:
        raise Refused("BAD_PARAMETER", str(error), where=name) from None


async def _until_confirmed(bulk_id: str) -> None:
    """Wait for the list, which is being frozen. Its driver starts meanwhile.

    Raises:
        Refused: the plan stays a plan, since its confirmation was killed or came too late.
    """
    deadline = time.monotonic() + _CONFIRMED_WITHIN_S
    while (await in_thread(planning.get, bulk_id)).state == BulkState.PLANNED:
        if time.monotonic() > deadline:
            raise Refused("NOT_CONFIRMED", f"the list of plan {bulk_id} was not frozen; confirm the plan again")
        await asyncio.sleep(_STEP_S / 2)


async def _drive(bulk_id: str) -> Any:
    log = get_run_logger()
    await in_thread(bulk_reruns.set_driver, bulk_id, flow_run.id)  # an earlier driver notices, and ends
    progress = _Progress(bulk_id)
    try:
        await _until_over(bulk_id, progress)
    except asyncio.CancelledError:
        if is_cancelled_by_person():
            with suppress(Refused, Transient):  # aborted before; or the sweep aborts it, as its driver is Cancelled
                await asyncio.to_thread(control.abort, bulk_id, _PREFECT)
                await progress.show()
        raise
    found = await progress.show()
    log.info("Bulk re-run %s is %s: %s", bulk_id, found.state, _counts(found))
    if found.state not in (BulkState.ABORTED, BulkState.DONE):
        return Completed(message=f"Another run drives bulk re-run {bulk_id} now.")
    if found.state == BulkState.ABORTED:
        return Cancelled(message=f"Bulk re-run {bulk_id} was aborted: {_counts(found)}.")
    if found.failed:
        await _show_failures(bulk_id)
        failed = f"{found.failed} of {found.planned} archives failed again"
        return Failed(message=f"{failed}; `cellar bulk show {bulk_id}` names them and says why.")
    return None


async def _until_over(bulk_id: str, progress: "_Progress") -> None:
    """Take step after step. While database or Prefect are away, nothing is lost, and the steps go on later."""
    lost_look_s = time.monotonic()
    while True:
        try:
            standing = await driving.step(bulk_id, flow_run.id)
            if time.monotonic() - lost_look_s > _LOST_LOOK_S:
                lost_look_s = time.monotonic()
                await driving.settle_lost(bulk_id)
                await driving.complete_aborted()
            await progress.show_at_times()
        except Transient as error:
            get_run_logger().warning("A step is tried again: %s", error)
            await asyncio.sleep(_AWAY_PAUSE_S)
            continue
        if standing.is_over:
            return
        await asyncio.sleep(_STEP_S if standing.state is BulkState.RUNNING else _QUIET_STEP_S)


class _Progress:
    """The progress artifact of a bulk re-run."""

    def __init__(self, bulk_id: str) -> None:
        self._bulk_id = bulk_id
        self._artifact: UUID | None = None
        self._shown: tuple[str, str] | None = None
        self._shown_s = 0.0

    async def show_at_times(self) -> None:
        if time.monotonic() - self._shown_s > _SHOWN_EACH_S:
            self._shown_s = time.monotonic()
            await self.show()

    async def show(self) -> BulkView:
        """Show how far the bulk re-run is, if that has changed, and return it."""
        found = await in_thread(records.view, self._bulk_id)
        shown = (found.state, _counts(found))
        if shown != self._shown:
            with optional_summary():
                await self._write(found)
                self._shown = shown
        return found

    async def _write(self, found: BulkView) -> None:
        share = 100 * (found.done + found.failed) / found.planned if found.planned else 100.0
        description = f"{found.state}: {_counts(found)}"
        if self._artifact is None:
            made = await acreate_progress_artifact(share, key=f"bulk-{self._bulk_id}", description=description)
            self._artifact = made if isinstance(made, UUID) else UUID(str(made))
        else:
            await aupdate_progress_artifact(self._artifact, share, description=description)


async def _show_plan(bulk_id: str, plan: PlanView) -> None:
    rows = [{"what": what, "which": which, "archives": archives} for what, which, archives in plan_rows(plan)]
    sentences = " ".join(plan_sentences(plan))
    for sentence in plan_sentences(plan):
        get_run_logger().info(sentence)
    with optional_summary():
        description = f"{sentences} To run this plan, run the deployment with `bulk` = `{bulk_id}` and without dry run."
        await acreate_table_artifact(rows, key=f"bulk-plan-{bulk_id}", description=description)


async def _show_failures(bulk_id: str) -> None:
    failures = await in_thread(bulk_items.failures, bulk_id)
    rows = [{"cause": code, "sentence": sentence, "archives": number} for code, sentence, number in failures]
    with optional_summary():
        await acreate_table_artifact(rows, key=f"bulk-failures-{bulk_id}", description="Why archives failed again")


def _counts(found: BulkView) -> str:
    return (
        f"{found.planned} archives, {found.completed} completed, {found.skipped} skipped, {found.failed} failed, "
        f"{found.started} on their way, {found.queued} queued"
    )


def _id_of_this_run() -> str:
    """Return the id of the plan of this run. A later attempt finds its plan again."""
    return str(flow_run.id).replace("-", "")[-12:]


def _person() -> str:
    """Return the name of the person who started this run, as far as Prefect knows."""
    context = FlowRunContext.get()
    creator = context.flow_run.created_by if context and context.flow_run else None
    name = creator.display_value if creator else None
    return f"{_PREFECT} ({name})" if name else _PREFECT
