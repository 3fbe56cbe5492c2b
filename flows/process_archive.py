"""The flow `process-archive`: turns a receipt into files, rows, discrepancies and notifications.

Each task takes ids, reads its input, decides in pure code and writes idempotently. A run that is killed between any two
steps and executed again comes to the same end.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any
from uuid import UUID

import httpx
import structlog
from prefect import flow, get_run_logger, task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import DEFAULT
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import PrefectException
from prefect.runtime import flow_run
from prefect.states import Completed
from pydantic import BaseModel

from adapters.observation.log import reference_digest
from adapters.peers.prefect_api import tags_of
from adapters.peers.prefect_erasure import summary_key
from adapters.platform.cancellation import in_thread
from adapters.settings.settings import settings
from adapters.tables.archives import archives
from adapters.tables.messages import notifications
from domain.messages.summaries import UNDELIVERED, UNDELIVERED_TAG, cause_summary, size_text, undelivered_text
from flows.execution.engine import end_own_process, leave_slot
from flows.execution.lease import sole_work_on
from flows.execution.record import Progress, Run, recorded
from flows.execution.results import RESULTS, remove_results
from flows.execution.tasks import RETRIED, RETRIED_SHORTLY, attempt_at, emit, optional_summary
from models.archive.verdict import Outcome
from models.discrepancies import DiscrepancyState
from models.errors import Refused, Transient
from models.messages.notification import AttemptTrigger, NotificationState
from models.runs.receipt import Identity, Trigger
from models.said import Sentence
from services.access.scope import erased
from services.custody.remembering import check_again
from services.messages.attempts import check_confirmed, is_of_endpoint, send
from services.messages.deliveries import send_from_run
from services.messages.events import archive_summary
from services.payments.recorded import count_not_closed, not_closed
from services.processing.completion import complete, load, reconcile_findings
from services.processing.persisting import persist
from services.receipts import StoredArchive, receipt_of, stored_archive
from services.templates import form_tags

MOST_LOGGED = 20
"""Warnings or discrepancies of a run in its log, by code. Their values may name people or other archives, whose erasure
would not reach the files of a log. The archive has all.
"""
_BAD_DOCUMENTS = {Outcome.CHANGED, Outcome.BROKEN, Outcome.UNREADABLE, Outcome.FIELDS_CHANGED}
_KEPT: dict[str, Any] = RETRIED | {"persist_result": True, "cache_policy": DEFAULT - "read"}
"""A finished task is not repeated when its run goes on in another worker, which reads the archive itself."""
Read = Callable[[str, str], StoredArchive]
"""Reads an archive from the store, for all tasks of a run once."""


class FilesPersisted(BaseModel):
    version: int
    files: int
    size_bytes: int


class MetadataLoaded(BaseModel):
    signed_document: str | None
    version: int
    rows: int
    warnings: int
    process_number: int | None
    template_id: str | None


class PaymentsReconciled(BaseModel):
    """`discrepancies` counts the discrepancies that nobody has explained. `is_damaged`: a check still finds damage."""

    payments: int
    discrepancies: int
    is_damaged: bool = False


@flow(
    name="process-archive",
    result_storage=RESULTS,
    result_serializer="json",
    persist_result=False,
    validate_parameters=False,  # Prefect's server has done so, and here it makes a class for each run
    on_completion=[remove_results],
)
async def process_archive(reference: str, receipt_id: str | None = None) -> State[Any] | None:
    """Archive a receipt of a process. Without `receipt_id`, archive the receipt of its current version.

    A run that waits for a system ends as AwaitingRetry, and goes on by itself. A run that failed says why. A run whose
    messages are not confirmed ends as Undelivered, which is of type Completed; the flow `deliver-messages` goes on.
    """
    structlog.contextvars.bind_contextvars(reference_digest=reference_digest(reference))
    # A triggered run already has name and tags. A run that a person started gets them first, however early it fails.
    progress = Progress(tags=set(flow_run.tags))
    await _label(reference, progress, await _known_tags(reference))
    if not (ended := await recorded(progress, _run(reference, receipt_id), _archive)):
        return Completed(name=UNDELIVERED, message=progress.undelivered) if progress.undelivered else None
    state, cause = ended
    if state.is_failed():
        await _label(reference, progress, {"attention", f"cause:{cause.code}"}, _named(progress.tags, "cause:"))
    await _publish(reference, lambda: cause_summary(cause, state.message or "", settings().dossier_url(reference)))
    await end_own_process(state)
    return state


async def _archive(run: Run, progress: Progress) -> None:
    reference, read = run.reference, cache(stored_archive)
    async with sole_work_on(reference, run.holder), _time_limit():
        progress.task = persist_files.name
        await _check_kept(reference)  # it may be erased meanwhile: an erasure holds the lease until it has ended
        persisted = await persist_files(reference, run.receipt_id)
        progress.task = load_metadata.name
        loaded = await load_metadata(reference, run.receipt_id, read)
        _describe(persisted, loaded)
        progress.task = reconcile_payments.name
        reconciled = await reconcile_payments(reference, run.receipt_id, read)
        found = _tags_of(reference, loaded, reconciled) | set(await in_thread(form_tags, loaded.template_id))
        await _label(reference, progress, found, _named(progress.tags, "attention", "cause:", "form:"))
    # The archive is complete. An endpoint that is down delays no other archive, and no newer receipt of this one.
    leave_slot()
    progress.task = notify_downstream.name
    await _notify_all(run.receipt_id, is_asked_for=UNDELIVERED_TAG in progress.tags)
    progress.undelivered = undelivered_text(await in_thread(notifications.of_receipt, run.receipt_id))
    await _label(reference, progress, {UNDELIVERED_TAG} if progress.undelivered else set(), {UNDELIVERED_TAG})
    summary = _publish(reference, lambda: archive_summary(read(reference, run.receipt_id), loaded.version))
    progress.beside_end.append(summary)


@task(name="persist-files", **_KEPT)
@attempt_at("persist-files")
async def persist_files(reference: str, receipt_id: str) -> FilesPersisted:
    """Write the files of a receipt into the store."""
    log = get_run_logger()
    log.info("Scanning the body of receipt %s", receipt_id)
    persisted = await in_thread(persist, reference, receipt_id)
    files, size_bytes = len(persisted.contents), sum(content.size_bytes for content in persisted.contents)
    log.info("Version %d: %d files with %s in all are in the store", persisted.version, files, size_text(size_bytes))
    return FilesPersisted(version=persisted.version, files=files, size_bytes=size_bytes)


@task(name="load-metadata", **_KEPT)
@attempt_at("load-metadata")
async def load_metadata(reference: str, receipt_id: str, read: Read) -> MetadataLoaded:
    """Load the payload into the database: rows for the current version only, the skeleton for each version."""
    log = get_run_logger()
    archived = await in_thread(read, reference, receipt_id)
    archive, version = archived.archive, archived.request.version
    rows = await in_thread(load, archived)
    if archived.request.is_version:
        log.info("Version %d: %d rows from %d sessions", version, rows, len(archive.sessions))
    else:
        log.info("The receipt says nothing new; it is a delivery of version %d", version)
    for warning in archive.warnings[:MOST_LOGGED]:
        log.warning("%s at %s", warning.code, warning.where)
    if len(archive.warnings) > MOST_LOGGED:
        log.warning("%d warnings in all", len(archive.warnings))
    verdict = archive.newest_verdict
    return MetadataLoaded(
        signed_document=verdict.outcome if verdict else None,
        version=version,
        rows=rows,
        warnings=len(archive.warnings),
        process_number=archive.process_number,
        template_id=archive.template_id,
    )


@task(name="reconcile-payments", **_KEPT)
@attempt_at("reconcile-payments")
async def reconcile_payments(reference: str, receipt_id: str, read: Read) -> PaymentsReconciled:
    """Compare the payments with form and sessions, keep the discrepancies, and complete the archive.

    The discrepancies are the last part of a complete archive. The archive is read back inside this task, because
    reading may fail, and the task is then retried.
    """
    log = get_run_logger()
    archived = await in_thread(read, reference, receipt_id)
    reconciled = await in_thread(reconcile_findings, archived)
    counts = await in_thread(count_not_closed, reference)
    log.info("%d payments, %d discrepancies", len(archived.archive.payments), sum(counts.values()))
    for each in await in_thread(not_closed, reference, MOST_LOGGED) if any(counts.values()) else ():
        log.warning("%s", each.code)
    if not reconciled.is_current:
        log.info("Another version is current; its rows stay unchanged")
    emit(await in_thread(complete, archived, reconciled.payload))
    log.info("The archive is read back and complete")
    return PaymentsReconciled(
        payments=len(archived.archive.payments),
        discrepancies=counts[DiscrepancyState.OPEN],
        is_damaged=await in_thread(check_again, reference),
    )


@task(name="notify-downstream", **RETRIED_SHORTLY)
@attempt_at("notify-downstream")
async def notify_downstream(message_id: str | None, *, is_asked_for: bool = False) -> str:
    """Notify one endpoint of the archive. Every run has this task, also where there is no endpoint to notify.

    These are the first attempts. The flow `deliver-messages` makes the others. While the endpoint fails, no attempt is
    made, unless a person asks for it by Retry. An attempt that takes longer than two seconds goes on after the run.
    """
    log = get_run_logger()
    if message_id is None:
        log.info("Nobody to notify: no endpoint is set, or all have confirmed")
        return NotificationState.DELIVERED
    made = await (send(message_id, AttemptTrigger.MANUAL) if is_asked_for else send_from_run(message_id))
    log.info("Message %s: %s (%s)", message_id, made.state, made.error or made.status_code)
    if made.was_made:
        check_confirmed(message_id, made)
    return made.state


async def _notify_all(receipt_id: str, *, is_asked_for: bool) -> None:
    """Notify the endpoints in parallel, one task run each: an endpoint that is down delays no other endpoint.

    An endpoint that has not confirmed its message fails its task run, and never the run.
    """
    message_ids: Sequence[str | None] = await in_thread(notifications.undelivered, receipt_id) or [None]
    told = (notify_downstream(each, is_asked_for=is_asked_for) for each in message_ids)
    for result in await asyncio.gather(*told, return_exceptions=True):
        if isinstance(result, BaseException) and not is_of_endpoint(result):
            raise result


def _describe(persisted: FilesPersisted, loaded: MetadataLoaded) -> None:
    """Let the worker's line about the end of the run say what it was about."""
    structlog.contextvars.bind_contextvars(
        version=loaded.version, files=persisted.files, files_bytes=persisted.size_bytes, warnings=loaded.warnings
    )


@asynccontextmanager
async def _time_limit() -> AsyncIterator[None]:
    """Fail a run that takes too long. Its thread ends between two chunks, before the lease is released.

    Raises Refused if the run took too long, which only a person can change.
    """
    limit_s = settings().run_timeout_s
    try:
        async with asyncio.timeout(limit_s) as limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise Refused("RUN_TIMEOUT", Sentence.run_too_long(seconds=f"{limit_s:g}")) from error


async def _run(reference: str, receipt_id: str | None) -> Run:
    try:
        chosen = await in_thread(receipt_of, reference, receipt_id)
    except Refused:
        await _check_kept(reference)
        raise
    return Run(flow_run.id, flow_run.run_count, reference, chosen, _trigger_of(flow_run.tags))


async def _check_kept(reference: str) -> None:
    """Check that the archive is not erased. The error says nothing else: logs keep neither the ground nor the names."""
    if await in_thread(erased, reference):
        raise Refused("ERASED", "the archive was erased", where="reference")


def _trigger_of(tags: Collection[str]) -> Trigger:
    """Return what started the run, from the tag that the trigger set. A person in the UI sets no tag."""
    return next((trigger for trigger in Trigger if f"trigger:{trigger}" in tags), Trigger.RERUN)


async def _known_tags(reference: str) -> set[str]:
    """Return the tags of a run before its first task. A run that was triggered has them already."""
    if any(each.startswith("reference:") for each in flow_run.tags):
        return set()
    try:
        return set(tags_of(await in_thread(archives.identity, reference)))
    except Transient:
        return set(tags_of(Identity(reference)))


def _tags_of(reference: str, loaded: MetadataLoaded, reconciled: PaymentsReconciled) -> set[str]:
    tags = set(tags_of(Identity(reference, loaded.process_number, loaded.template_id)))
    if loaded.signed_document in _BAD_DOCUMENTS:
        tags.add(f"signed-document:{loaded.signed_document}")
    if loaded.warnings or reconciled.discrepancies or reconciled.is_damaged:
        tags.add("attention")
    return tags


def _named(tags: Collection[str], *beginnings: str) -> set[str]:
    return {each for each in tags if each.startswith(beginnings)}


async def _label(reference: str, progress: Progress, found: set[str], outdated: Collection[str] = ()) -> None:
    """Give the run the name and tags that people search for, in one request, or in none where nothing changes.

    A name or tag that Prefect refuses must not fail an archive. `outdated`: tags that an earlier attempt may have left.
    """
    tags = progress.tags.difference(outdated) | found
    if flow_run.name == reference and tags == progress.tags:
        return
    try:
        async with get_client() as client:
            await client.update_flow_run(UUID(flow_run.id), name=reference, tags=sorted(tags))
        progress.tags = tags
    except (PrefectException, httpx.HTTPError) as error:
        get_run_logger().warning("The run could not be given its name and tags: %s", type(error).__name__)


async def _publish(reference: str, made: Callable[[], str]) -> None:
    with optional_summary():
        markdown = await in_thread(lambda: made() if not erased(reference) else None)
        if markdown:  # else the summary would outlive the erasure
            await acreate_markdown_artifact(markdown, key=summary_key(reference), description=f"Archive {reference}")
