"""The flow `import-archives`: archives saved payloads, many in one run, by the checks of the webhook.

Each batch is taken into the inbox, archived by the steps of `process-archive` in several threads, and completed
together. So an archive costs no run and no task of Prefect, and one transaction serves a batch. Nobody is notified:
years of old archives would flood the endpoints.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain
from typing import Annotated, Any, TypeVar

from prefect import get_run_logger
from prefect.artifacts import acreate_table_artifact
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.runtime import flow_run
from prefect.states import AwaitingRetry, Failed
from pydantic import Field

from adapters.files import bucket
from adapters.platform.cancellation import checkpoint, in_thread
from adapters.tables import conditions
from adapters.tables.runs import imports
from adapters.tables.runs.imports import ImportAttempt
from domain.runs import cause_of, next_try
from flows.execution.engine import is_cancelled_by_person
from flows.execution.lease import Busy, sole_work_on_free
from flows.execution.tasks import ProgressArtifact, name_run, of_cellar, optional_summary, record_start
from models.access import Action
from models.errors import CellarError, Conflict, Refused, Transient
from models.runs.imports import MOST_PROBLEMS, ImportOutcome, ImportProblem, ImportProgress
from models.runs.receipt import DEFAULT_SOURCE, Delivery, RunState
from models.views.parameters import Text
from services import sources
from services.custody.remembering import check_again
from services.imports import (
    Batch,
    Failure,
    Reader,
    archive,
    by_process,
    keep_progress,
    kept_progress,
    leave,
    started_by,
)

Item = TypeVar("Item")
Result = TypeVar("Result")

_THREADS = 2  # one waits for the disk while the other works; more only wait for the interpreter
_POLL_S = 1
_LONGEST_WAIT_S = 600
_PAUSES_S = (2, 4, 8)


@of_cellar("import-archives", "import archives")
async def import_archives(
    paths: Annotated[list[str], Field(min_length=1)], source: Text | None = None
) -> State[Any] | None:
    """Import saved archives. A second run skips what is archived. A run that was killed goes on where it was.

    The run ends Failed if a path or a payload could not be imported. Its state says why. While a path, the store or the
    database does not answer, the run waits as AwaitingRetry, and goes on by itself for three days.

    Args:
        paths: Files, folders, tar and zip files below CELLAR_IMPORTS_URL, or s3:// URLs there.
        source: The name of the source that they came from. None: the source default.
    """
    by = ImportAttempt(flow_run.id, flow_run.run_count)
    try:
        await in_thread(_record_start, paths, source)
        progress = await _import_all(paths, by, source or DEFAULT_SOURCE)
    except CellarError as error:  # returned, so that no trace hides the sentence
        return _ended_by(error, by)
    await name_run([str(progress)])
    if progress.is_clean:
        return None
    why = f"{progress}; the artifact `import-report` of this run names the files, and says why"
    return Failed(message=why, data=Conflict(why))


def _record_start(paths: Sequence[str], source: str | None) -> None:
    """Record who started the import. Raises Refused if they may not read there, which is on record too."""
    context = FlowRunContext.get()
    key = context.flow_run.idempotency_key if context and context.flow_run else None
    try:
        person = started_by(key, paths, source)
    except Refused:
        record_start(Action.RELEASE, outcome="denied")
        raise
    record_start(Action.RELEASE, person)


def _ended_by(error: CellarError, by: ImportAttempt) -> State[Any]:
    cause = cause_of(error, None)
    get_run_logger().error("%s", cause)
    if isinstance(error, Transient) and (due_at := next_try(_begun_at(), by.attempt, datetime.now(UTC))):
        return AwaitingRetry(scheduled_time=due_at, message=f"{cause}. The import goes on by itself at the time shown.")
    return Failed(message=str(cause), data=error)


def _begun_at() -> datetime:
    context = FlowRunContext.get()
    begun_at = context.flow_run.start_time if context and context.flow_run else None
    return begun_at or datetime.now(UTC)


async def _import_all(paths: Sequence[str], by: ImportAttempt, source: str) -> ImportProgress:
    """Import batch by batch, from where an earlier attempt was, and return the progress at the end."""
    with bucket.patient():
        await in_thread(sources.check_known, source)
        reader = Reader(paths, by, await in_thread(kept_progress, by.flow_run_id), source)
        await in_thread(reader.measure)
        shown = ProgressArtifact("import-progress")
        await shown.show(reader.progress.share, str(reader.progress))
        try:
            while batch := await in_thread(reader.next_batch):
                reader.progress = await _import(batch, by)
                await in_thread(keep_progress, by.flow_run_id, reader.progress)
                if shown.is_due():
                    await shown.show(reader.progress.share, str(reader.progress))
        finally:
            reader.close()
            await shown.show(reader.progress.share, str(reader.progress))
            await _report(reader.progress)
    return reader.progress


async def _import(batch: Batch, by: ImportAttempt) -> ImportProgress:
    """Archive a batch and return the progress after it. What cannot be archived is left to runs of their own.

    Raises Transient if nothing of the batch could be archived now. The next attempt goes on with it.
    """
    waiting = {each.receipt_id: each for each in batch.deliveries}
    try:
        failures = await _archive(waiting, by)
    except asyncio.CancelledError:
        if is_cancelled_by_person():  # else the next attempt goes on with these archives
            with suppress(Transient):
                left = dict.fromkeys(waiting)
                await asyncio.to_thread(imports.give_up, left, by, RunState.CANCELLED, datetime.now(UTC))
        raise
    failed = {each.delivery.receipt_id: each.cause for each in failures}
    if failed and len(failed) == len(batch.deliveries) and all(each.is_transient for each in failures):
        await asyncio.to_thread(imports.wait, failed, by, datetime.now(UTC))
        away = Transient(f"no archive of a batch could be imported: {failures[0].cause.sentence}")
        away.code = failures[0].cause.code
        raise away
    if failed:
        await asyncio.to_thread(imports.give_up, failed, by, RunState.FAILED, datetime.now(UTC))
    batch.after.count(ImportOutcome.IMPORTED, len(batch.deliveries) - len(failed))
    for each in failures:
        batch.after.add(_problem(each, batch.names))
    return batch.after


async def _archive(waiting: dict[str, Delivery], by: ImportAttempt) -> list[Failure]:
    """Archive deliveries and remove the complete deliveries from `waiting`. Return the failures.

    A process that another run works on waits for its turn.
    """
    failures: list[Failure] = []
    waited_s = 0
    while todo := _without(waiting, failures):
        async with sole_work_on_free({each.reference for each in todo}, by.holder) as free:
            mine = [each for each in todo if each.reference in free]
            if mine:
                failures += await _work_on(mine, waiting, by)
        if not mine:
            if waited_s >= _LONGEST_WAIT_S:
                busy = cause_of(Busy(), "persist-files")
                return failures + [Failure(each, busy, is_transient=False) for each in todo]
            await asyncio.sleep(_POLL_S)
            waited_s += _POLL_S
    return failures


def _without(waiting: dict[str, Delivery], failures: Iterable[Failure]) -> list[Delivery]:
    failed = {each.delivery.receipt_id for each in failures}
    return [each for receipt_id, each in waiting.items() if receipt_id not in failed]


async def _work_on(mine: Collection[Delivery], waiting: dict[str, Delivery], by: ImportAttempt) -> list[Failure]:
    """Archive and complete deliveries whose leases this run holds. Try transient failures again a few times."""
    lasting, transient, done = list[Failure](), list[Failure](), list[Delivery]()
    todo = list(mine)
    for pause_s in (0, *_PAUSES_S):
        await asyncio.sleep(pause_s)
        archived = list(chain.from_iterable(await _in_threads(archive, by_process(todo))))
        done += (each for each in archived if isinstance(each, Delivery))
        failures = [each for each in archived if isinstance(each, Failure)]
        lasting += (each for each in failures if not each.is_transient)
        transient = [each for each in failures if each.is_transient]
        if not (todo := [each.delivery for each in transient]):
            break
    await in_thread(imports.complete, [each.receipt_id for each in done], by, datetime.now(UTC))
    await _in_threads(leave, done)
    for reference in sorted({each.reference for each in done} & await in_thread(conditions.references)):
        await in_thread(check_again, reference)
    for each in done:
        del waiting[each.receipt_id]
    return lasting + transient


async def _in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Do work for items, each in the next thread that is free."""
    left, results = deque(items), list[Result]()

    def take() -> None:
        while left:
            checkpoint()
            try:
                item = left.popleft()
            except IndexError:
                return  # another thread was faster
            results.append(work(item))

    await asyncio.gather(*(in_thread(take) for _ in range(_THREADS)))
    return results


def _problem(failure: Failure, names: dict[str, str]) -> ImportProblem:
    return ImportProblem(
        path=names[failure.delivery.receipt_id],
        outcome=ImportOutcome.FAILED,
        code=failure.cause.code,
        where=failure.cause.task or "",
        detail=failure.cause.sentence,
        receipt_id=failure.delivery.receipt_id,
    )


async def _report(progress: ImportProgress) -> None:
    """Show which files are not imported."""
    rows = [each.model_dump(mode="json", exclude={"receipt_id"}) for each in progress.problems]
    if rows:
        with optional_summary():
            more = "; the first are listed" if len(rows) == MOST_PROBLEMS else ""
            await acreate_table_artifact(rows, key="import-report", description=f"{progress}{more}")
