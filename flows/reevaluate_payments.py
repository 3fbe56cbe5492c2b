"""The flow `reevaluate-payments`: judges the payments of all archives again, since time alone changes discrepancies."""

from datetime import UTC, datetime

from prefect import get_run_logger

from adapters.platform.cancellation import in_thread
from flows.endpoints import report_open_discrepancies
from flows.execution.results import remove_forgotten_results
from flows.execution.tasks import of_cellar
from services.payments.duplicates import reconcile_all_duplicates
from services.payments.holds import reconcile_all_holds
from services.settlements.importing import reconcile_all_archives
from services.sources import clock_warnings


@of_cellar("reevaluate-payments", "judge payments again")
async def reevaluate_payments() -> None:
    """Judge holds, duplicates and missing settlements of all archives again.

    Then report the open discrepancies, and remove the results of runs that Prefect no longer keeps. A second run
    changes nothing.

    A source whose clock is wrong by a time zone has a warning in the log, since days of payment depend on it.
    """
    log, now = get_run_logger(), datetime.now(UTC)
    await in_thread(reconcile_all_holds, now)
    await in_thread(reconcile_all_duplicates, now)
    await in_thread(reconcile_all_archives, now)
    log.info("Holds, duplicates and missing settlements are judged again")
    await report_open_discrepancies()
    log.info("The results of %d runs are removed", await in_thread(remove_forgotten_results, now))
    for each in await in_thread(clock_warnings):
        log.warning("%s: %s", each.found, each.to_do)
