"""Reports all open discrepancies. Some follow from reports or from time alone, and no run of an archive finds them."""

from datetime import UTC, datetime

from prefect.artifacts import acreate_markdown_artifact
from prefect.runtime import flow_run

from adapters.platform.cancellation import in_thread
from adapters.settings.settings import settings
from adapters.tables.open_conditions import DerivedCode, open_numbers
from domain.messages.bodies import MOST_REPORTED, payments_discrepancies
from domain.messages.summaries import open_discrepancies_summary
from flows.endpoints import notify_endpoints
from flows.execution.summaries import optional_summary
from models.views.archives.payments import ListedDiscrepancy
from services.views import troubles


async def report_open_discrepancies() -> None:
    """Leave a summary of all open discrepancies, of archives and of none, and notify the endpoints if there are any.

    Each message lists the open discrepancies again, newest first, so a process that was killed leaves no gap.

    Raises:
        Transient: the database does not answer.
    """
    found, by_code = await in_thread(_found)
    with optional_summary():
        await acreate_markdown_artifact(
            open_discrepancies_summary(found, by_code),
            key="open-discrepancies",
            description=f"{sum(by_code.values())} open discrepancies in all",
        )
    if by_code:
        now, url = datetime.now(UTC), settings().receiver_url
        await notify_endpoints(payments_discrepancies(flow_run.id, found, by_code, now, url))


def _found() -> tuple[list[ListedDiscrepancy], dict[str, int]]:
    return troubles.newest_discrepancies(MOST_REPORTED), open_numbers(DerivedCode.DISCREPANCY_OPEN)
