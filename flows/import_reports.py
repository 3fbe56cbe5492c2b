"""The flow `import-reports`: imports each new settlement report of a folder or bucket, once."""

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime

from prefect import get_run_logger

from adapters.inbox import report_files
from adapters.inbox.report_files import ReportFile
from adapters.platform.cancellation import checkpoint, in_thread
from adapters.store.settlement_reports import staged
from flows.endpoints import report_open_discrepancies
from flows.execution.engine import done_by
from flows.execution.tasks import counted, name_run, of_cellar
from models.errors import CellarError, Conflict, Refused
from models.settlements.settlement import SettlementSummary
from services.settlements import importing


@of_cellar("import-reports", "import settlement reports")
async def import_reports() -> None:
    """Import each new report. Report the open discrepancies if an import has left some that nobody has explained.

    A report that is wrong or cannot be read holds up no other report. The next run tries it again.

    Raises Conflict if some reports are wrong; the message names them, with their lines.
    """
    taken = _Taken()
    try:
        for file in await done_by(new_reports):
            await _take(file, taken)
    finally:
        if taken.unexplained:
            await _report_open_discrepancies()
    if taken.wrong:
        raise Conflict(f"{len(taken.wrong)} settlement reports are wrong and not imported: {'; '.join(taken.wrong)}")
    await name_run([f"imported {counted(taken.imported, 'settlement report')}"] if taken.imported else [])


async def new_reports() -> list[ReportFile]:
    return await in_thread(report_files.new_files, datetime.now(UTC))


@dataclass
class _Taken:
    """The reports that were wrong, and of the others their number and that of their unexplained discrepancies."""

    wrong: list[str] = field(default_factory=list)
    imported: int = 0
    unexplained: int = 0


async def _take(file: ReportFile, taken: _Taken) -> None:
    log = get_run_logger()
    try:
        summary = await in_thread(_import, file)
    except FileNotFoundError:
        return  # removed since the files were listed
    except Refused as refused:
        log.error("%s is not imported: %s", file.name, refused)
        taken.wrong.append(f"{file.name}: {refused}")
        return
    taken.imported += 1
    taken.unexplained += summary.unexplained
    told = "%s: %d rows, %d new, %d matched, %d discrepancies, %d of them not explained"
    counts = (summary.entries, summary.new, summary.matched, len(summary.findings), summary.unexplained)
    log.log(logging.WARNING if summary.unexplained else logging.INFO, told, file.name, *counts)


async def _report_open_discrepancies() -> None:
    """Report the open discrepancies, or leave it to the nightly flow: an error must not hide wrong reports."""
    try:
        await report_open_discrepancies()
    except CellarError as error:
        get_run_logger().warning("The open discrepancies are not reported before tonight: %s", error)


def _import(file: ReportFile) -> SettlementSummary:
    with staged(file.read(), importing.report_format()) as report:
        summary = importing.import_reports([report], datetime.now(UTC), lambda *_: checkpoint())
        report_files.set_imported(file, report.report_id)
    return summary
