"""Settlement reports of the provider and lists of Cellosign, taken in from files: what would happen is shown first."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Query, Request, Response

from adapters.files.spool import spooled, write_spooled
from adapters.files.store import store
from adapters.settings.settings import settings
from adapters.store.settlement_reports import heads_of
from api.access import CallerOf, acts
from api.console.frame.cookies import ROOT
from api.console.frame.rendering import render, see
from api.console.frame.threads import in_thread_of_exports
from api.console.frame.uploads import Upload, Uploaded
from api.console.frame.visits import NO_SUCH_PAGE
from domain.settlements.report import mapped_format
from domain.words.wording import N_
from models.access import Action, Caller
from models.errors import Refused
from models.settlements.report_format import ReportColumns, ReportFormat
from models.settlements.settlement import SettlementSummary
from services.completeness.reconciling import reconcile_list
from services.settlements import importing
from services.settlements.importing import OnProgress
from services.views import archive_list, settlement_list

_ANSWERED_AFTER_S = 2
_MOST_SHOWN = 50
_ONE_FILE = N_("Choose one file: a list is compared as a whole.")
ReportId = Annotated[str, Query(pattern="^[0-9a-f]{64}$")]
log = structlog.get_logger()
router = APIRouter()


@router.get("/payments/reports", dependencies=[acts(Action.READ_TROUBLES)])
def show_reports(
    request: Request, caller: CallerOf, report: ReportId = "", after: str | None = None, cursor: str | None = None
) -> Response:
    """Show the reports, and what one of them leaves unmatched: the last, if none is named."""
    reports, following = settlement_list.reports(cursor)
    chosen = next(iter(settlement_list.reports(report_id=report)[0] if report else reports), None)
    if report and not chosen:
        raise Refused("UNKNOWN_PATH", NO_SUCH_PAGE, status=404)
    unmatched, more = settlement_list.unmatched(chosen.row.report_id, after) if chosen else ([], None)
    near = [payment.reference for _, payments in unmatched for payment, _ in payments]
    shown = {"reports": reports, "following": following, "chosen": chosen, "unmatched": unmatched, "more": more}
    state = {"damaged": settlement_list.damaged(), "is_readable": settings().report_format is not None}
    return _page(request, caller, "intake/reports.html", near, **shown, **state)


@router.post("/payments/reports", dependencies=[acts(Action.DECIDE)])
async def take_reports(request: Request, upload: Uploaded, caller: CallerOf) -> Response:
    """Show what reports would bring, or take them in. What takes long goes on behind the answer; the page of reports
    shows how far it is. If it is killed, the next import or the night takes the reports in to the end.
    """
    if not upload.is_second():
        return await in_thread_of_exports(_preview, request, caller, upload)
    loop, begun = asyncio.get_running_loop(), asyncio.Event()

    def on_progress(*_: object) -> None:
        loop.call_soon_threadsafe(begun.set)

    taking = asyncio.create_task(in_thread_of_exports(_settled, upload, on_progress, is_preview=False))
    taking.add_done_callback(lambda _: begun.set())
    taking.add_done_callback(_log_failure)
    await begun.wait()  # else a kill could lose what was answered
    await asyncio.wait({taking}, timeout=_ANSWERED_AFTER_S)
    return see(f"{ROOT}/payments/reports" + (f"?report={taking.result()[1]}" if taking.done() else ""))


def _settled(upload: Upload, on_progress: OnProgress, *, is_preview: bool) -> tuple[SettlementSummary, str]:
    """Return what reports bring, and the id of the last. Names of files are not kept."""
    named = ((f"file {number}", data) for number, data in enumerate(upload.files, 1))
    form = _format(upload, _heads(upload))
    return importing.take_files(named, form, datetime.now(UTC), on_progress, is_preview=is_preview)


def _heads(upload: Upload) -> dict[str, str]:
    """Return the columns of the first file by their numbers, which a form keeps unchanged; none where settings describe
    reports.
    """
    is_described = settings().report_format is not None
    return {} if is_described else {str(number): head for number, head in enumerate(heads_of(upload.files[0]), 1)}


def _mapped(upload: Upload) -> dict[str, str]:
    """Return the number of the file's column that a person has chosen for each of ours; empty text for none."""
    return {each.name: upload.form.text(each.name) for each in fields(ReportColumns)}


def _format(upload: Upload, heads: Mapping[str, str]) -> ReportFormat:
    columns = {name: heads[number] for name, number in _mapped(upload).items() if number in heads}
    return mapped_format(columns, upload.form.text("all_in").upper()) if heads else importing.report_format()


def _log_failure(taking: "asyncio.Task[Any]") -> None:
    if error := None if taking.cancelled() else taking.exception():
        log.error("settlement reports are not taken in to the end", why=type(error).__name__)


def _preview(request: Request, caller: Caller, upload: Upload) -> Response:
    heads, mapped = _heads(upload), _mapped(upload)
    shown = {"heads": heads, "mapped": mapped, "all_in": upload.form.text("all_in"), "is_readable": True}
    if heads and not any(mapped.values()):
        return _page(request, caller, "intake/reports.html", (), **shown)
    summary, _ = _settled(upload, lambda *_: None, is_preview=True)
    findings = summary.findings[:_MOST_SHOWN]
    shown |= {"summary": summary, "findings": findings, "shown": upload.digest}
    return _page(request, caller, "intake/reports.html", [each.reference for each in findings], **shown)


@router.get("/missing/list", dependencies=[acts(Action.READ_TROUBLES, of_nobody=True)])
def show_list(request: Request) -> Response:
    return render(request, "intake/list.html")


@router.post("/missing/list", dependencies=[acts(Action.DECIDE)])
async def take_list(request: Request, upload: Uploaded, caller: CallerOf) -> Response:
    """Show how a list and the archives differ, or open a finding of each missing process."""
    shown = "" if upload.is_second() else upload.digest
    if len(upload.files) > 1:
        raise Refused("BAD_PARAMETER", _ONE_FILE, where="file")
    return await in_thread_of_exports(_compared, request, caller, upload, shown)


def _compared(request: Request, caller: Caller, upload: Upload, shown: str) -> Response:
    source = upload.form.text("source")
    with spooled(store().spool_folder) as spool:
        write_spooled(spool, upload.files[0])
        done = reconcile_list(Path(spool.name), source or None, datetime.now(UTC), lambda _: None, dry_run=bool(shown))
    found, unread = done.compared.differences[:_MOST_SHOWN], done.read.unread[:_MOST_SHOWN]
    its = {"done": done, "differences": found, "unread": unread, "shown": shown, "source": source}
    return _page(request, caller, "intake/list.html", [each.reference for each in found], **its)


def _page(request: Request, caller: Caller, template: str, references: Iterable[str | None], **shown: Any) -> Response:
    return render(request, template, titles=archive_list.titles(references, caller), **shown)
