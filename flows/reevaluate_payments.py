"""The flow `reevaluate-payments`: what time changes is judged again, though nothing has come in."""

from datetime import UTC, datetime

from prefect import flow, get_run_logger

from adapters import kept_discrepancies
from adapters.database import pages
from adapters.duplicates import settle_all_duplicates
from adapters.holds import settle_all_holds
from flows.results import RESULTS
from flows.threads import in_thread


@flow(name="reevaluate-payments", result_storage=RESULTS, persist_result=False)
async def reevaluate_payments() -> None:
    """Judge holds and duplicates of all archives, and keep in the store what a killed process has not kept.

    Done again, it changes nothing.

    Raises:
        Transient: database or store does not answer.
    """
    log, now = get_run_logger(), datetime.now(UTC)
    await in_thread(settle_all_holds, now)
    await in_thread(settle_all_duplicates, now)
    # PLACE OF THE SETTLEMENT: adapters.settlements.judge_all(today), for what is missing in it.
    log.info("Holds and duplicates are judged again")
    for page in pages(await in_thread(kept_discrepancies.unkept)):
        await in_thread(kept_discrepancies.keep, page)
