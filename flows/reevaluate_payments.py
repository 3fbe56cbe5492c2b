"""The flow `reevaluate-payments`: what time changes is judged again, though nothing has come in."""

from datetime import UTC, datetime

from prefect import flow, get_run_logger

from adapters.database.transactions import pages
from adapters.platform.cancellation import in_thread
from adapters.store import kept_discrepancies
from flows.execution.results import RESULTS, remove_forgotten_results
from flows.open_discrepancies import report_open_discrepancies
from services.payments.duplicates import reconcile_all_duplicates
from services.payments.holds import reconcile_all_holds
from services.settlements.importing import reconcile_all_archives


@flow(name="reevaluate-payments", result_storage=RESULTS, persist_result=False)
async def reevaluate_payments() -> None:
    """Judge holds, duplicates and missing settlements of all archives again, keep in the store what a killed process
    has not kept, and tell what is open. Then remove the results of runs that nobody has retried for a month.

    Done again, it changes nothing.

    Raises:
        Transient: database or store does not answer.
    """
    log, now = get_run_logger(), datetime.now(UTC)
    await in_thread(reconcile_all_holds, now)
    await in_thread(reconcile_all_duplicates, now)
    await in_thread(reconcile_all_archives, now)
    log.info("Holds, duplicates and what is missing in settlements are judged again")
    for page in pages(await in_thread(kept_discrepancies.unkept)):
        await in_thread(kept_discrepancies.keep, page)
    await report_open_discrepancies()
    log.info("Of %d runs the results are removed", await in_thread(remove_forgotten_results, now))
