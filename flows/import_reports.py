"""The flow `import-reports`: settlement reports that are put into a folder or bucket are imported, each once."""

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime

from prefect import flow, get_run_logger

from adapters.inbox import report_files
from adapters.inbox.report_files import ReportFile
from adapters.platform.cancellation import checkpoint, in_thread
from adapters.platform.settings import settings
from adapters.store.settlement_reports import staged
from flows.execution.results import RESULTS
from flows.open_discrepancies import report_open_discrepancies
from models.errors import CellarError, Conflict, Refused
from models.settlements.settlement_summary import SettlementSummary
from services.settlements import importing


# It keeps no result; see `sweep_inbox`.
@flow(name="import-reports", result_storage=RESULTS, persist_result=False)
async def import_reports() -> None:
    """Import each new report, and tell what is open where one has brought something that nobody has explained. One that
    is wrong, or cannot be read, holds up no other, and is tried again by the next run.

    Raises:
        Conflict: some are; they are named, with their lines.
        Transient: folder, store or database does not answer.
    """
    taken = _Taken()
    try:
        for file in await in_thread(report_files.new_files, datetime.now(UTC)):
            await _take(file, taken)
    finally:
        if taken.unexplained:
            await _tell_open_discrepancies()
    if taken.wrong:
        raise Conflict(f"{len(taken.wrong)} settlement reports are wrong and not imported: {'; '.join(taken.wrong)}")


@dataclass
class _Taken:
    """Which reports were wrong, and how much that nobody has explained the others have brought."""

    wrong: list[str] = field(default_factory=list)
    unexplained: int = 0


async def _take(file: ReportFile, taken: _Taken) -> None:
    log = get_run_logger()
    try:
        summary = await in_thread(_import, file)
    except FileNotFoundError:
        return  # taken away meanwhile
    except Refused as refused:
        log.error("%s is not imported: %s", file.name, refused)
        taken.wrong.append(f"{file.name}: {refused}")
        return
    taken.unexplained += summary.unexplained
    told = "%s: %d rows, %d new, %d matched, %d findings, %d of them not explained"
    counts = (summary.entries, summary.new, summary.matched, len(summary.findings), summary.unexplained)
    log.log(logging.WARNING if summary.unexplained else logging.INFO, told, file.name, *counts)


async def _tell_open_discrepancies() -> None:
    """What cannot be told now, the night tells: it must not hide which reports are wrong."""
    try:
        await report_open_discrepancies()
    except CellarError as error:
        get_run_logger().warning("What is open is not told before the night: %s", error)


def _import(file: ReportFile) -> SettlementSummary:
    form = settings().report_format
    if form is None:
        raise Refused("BAD_SETTLEMENT_COLUMNS", "set CELLAR_SETTLEMENT_COLUMNS to a file as in docs/settlement.md")
    with staged(file.read(), form) as report:
        summary = importing.import_reports([report], datetime.now(UTC), lambda *_: checkpoint())
        report_files.set_imported(file, report.report_id)
    return summary
