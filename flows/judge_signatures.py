"""The flow `judge-signatures`: judges signed documents again after the trust roots have changed, some each night."""

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

from prefect import get_run_logger
from prefect.artifacts import acreate_table_artifact
from prefect.runtime import flow_run
from pydantic import Field

from adapters.database.transactions import pages
from adapters.files import bucket
from adapters.platform.cancellation import in_thread
from adapters.settings.settings import settings
from domain.messages.bodies import documents_judged_worse
from domain.messages.endpoints import subject_of
from flows.endpoints import notify_endpoints
from flows.execution.tasks import counted, name_run, of_cellar, optional_summary
from models.archive.verdict import Change, Judged
from services.custody.judging_again import count_due, due, judge_objects

_PAGE = 500
_MOST_SHOWN = 100


@of_cellar("judge-signatures", "judge documents again")
async def judge_signatures(most: Annotated[int, Field(strict=True, ge=1)] = 10_000) -> None:
    """Judge the signed documents again that were judged last with other trust roots than today's, at most `most`.

    List the documents that are judged differently in an artifact. Notify the endpoints if some are judged worse, or if
    a kept verdict is better than its document.
    """
    log, whole = get_run_logger(), Judged()
    chosen = await in_thread(due, most)
    for page in pages(chosen, _PAGE):
        with bucket.patient():
            judged = await in_thread(judge_objects, page, lambda _, __: None)
        whole += judged
        await _report_worse(judged)
        log.info("%d of %d archives: %d judgements are new", whole.documents, len(chosen), whole.kept)
    for reason, count in Counter(reason for _, reason in whole.unjudged + whole.unkept).most_common(_MOST_SHOWN):
        log.warning("not judged or not kept: %d: %s", count, reason)
    if whole.contradictions:
        log.warning(
            "kept verdicts are contradicted: %d; `cellar verify --signatures` names them", len(whole.contradictions)
        )
    log.info("%d archives wait for the next nights", await in_thread(count_due))
    changed = [f"{counted(whole.changes_in_all, 'judgement')} changed"] if whole.changes else []
    await name_run([f"judged {counted(whole.documents, 'document')} again", *changed])
    if whole.changes:
        await _show(whole)


async def _report_worse(judged: Judged) -> None:
    """Notify the endpoints at once: a run that is killed later does not judge these archives again."""
    worse = [each for each in judged.changes if each.is_worse]
    if worse or judged.contradictions:
        documents = (f"{each.reference} {each.version}" for each in judged.changes)
        subject = subject_of(flow_run.id, *documents, *(each.key for each in judged.contradictions))
        contradictions, url = len(judged.contradictions), settings().receiver_url
        event = documents_judged_worse(subject, worse, contradictions, datetime.now(UTC), url)
        await notify_endpoints(event)


async def _show(judged: Judged) -> None:
    with optional_summary():
        shown = [_row(each) for each in sorted(judged.changes, key=lambda each: not each.is_worse)[:_MOST_SHOWN]]
        text = f"{judged.changes_in_all} signed documents are judged differently; the worse ones come first"
        await acreate_table_artifact(shown, key="judged-differently", description=text)


def _row(change: Change) -> dict[str, str | int]:
    row = asdict(change)
    return row | {"": "worse" if row.pop("is_worse") else ""}
