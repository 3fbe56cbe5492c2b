"""The flow `find-missing`: finds processes that should have been archived, and alerts before Cellosign deletes them."""

from datetime import UTC, datetime

from prefect.artifacts import acreate_markdown_artifact

from adapters.platform.cancellation import in_thread
from adapters.tables.completeness import missing_processes
from adapters.tables.open_conditions import open_conditions
from domain.messages.summaries import MOST_SHOWN, missing_summary
from flows.execution.engine import done_by
from flows.execution.tasks import emit, name_run, of_cellar, optional_summary
from models.completeness.processes import Closing
from models.errors import Transient
from models.store.condition import DerivedCode
from services.completeness import finding_missing
from services.completeness.finding_missing import Alerted, announce_missing


@of_cellar("find-missing", "find missing processes")
async def find_missing() -> None:
    """Find processes that were submitted or have ended without an archive, and close findings that have arrived.

    Each new finding is announced to the endpoints, and again 24, 12 and 2 hours before its deadline. The open findings
    are listed in a summary. A second run changes nothing.

    Raises:
        Transient: the database, the inbox or the store does not answer. Alerts that are due are announced all the same.
    """
    await name_run(await done_by(search))
    with optional_summary():
        missing = await in_thread(open_conditions, (DerivedCode.PROCESS_MISSING,))
        counts = {(each.key, each.values["why"]): each.subjects for each in sorted(missing, key=lambda each: each.key)}
        nearest = await in_thread(missing_processes.nearest_open, MOST_SHOWN)
        await acreate_markdown_artifact(
            missing_summary(counts, nearest, datetime.now(UTC)),
            key="missing-processes",
            description=f"{sum(counts.values())} missing processes",
        )


async def search() -> list[str]:
    """Find and announce missing processes as `find_missing` says, and return what that did, with its numbers."""
    now = datetime.now(UTC)
    try:
        found = await in_thread(finding_missing.find_missing, now)
    except Transient:
        await _announce(now)
        raise
    told = await _announce(now)
    did = (
        (len(told.opened), "found"),
        (found.closed[Closing.ARCHIVED], "arrived"),
        (found.closed[Closing.DELETED], "lost: not archived before their deadline"),
        (len(told.alerts), "alerted"),
    )
    return [f"missing processes: {number:,} {what}" for number, what in did if number]


async def _announce(now: datetime) -> Alerted:
    told = await in_thread(announce_missing, now)
    emit(told.events)
    return told
