"""Tells what nobody has explained yet, also where no run of an archive has found it: reports, time, other archives."""

from datetime import UTC, datetime

from adapters.platform.cancellation import in_thread
from adapters.platform.settings import settings
from domain.messages.notification import MOST_TOLD, payments_discrepancies
from domain.messages.summary import open_discrepancies_summary
from flows.endpoints import notify_endpoints
from flows.execution.summaries import leave_summary
from models.views.payments import ListedDiscrepancy
from services.views import discrepancy_list


async def report_open_discrepancies() -> None:
    """Leave a summary of the discrepancies that are open, of all archives and of none, and tell the endpoints of them,
    if there are any.

    What is open is told anew each time, the newest first: a process that is killed in between has told nothing too
    little.

    Raises:
        Transient: the database does not answer.
    """
    found, by_code = await in_thread(_found)
    in_all = f"{sum(by_code.values())} open discrepancies in all"
    await leave_summary("open-discrepancies", open_discrepancies_summary(found, by_code), in_all)
    if by_code:
        url = f"{settings().receiver_url}/api/discrepancies?state=open"
        await notify_endpoints(payments_discrepancies(found, by_code, url=url, at=datetime.now(UTC)))


def _found() -> tuple[list[ListedDiscrepancy], dict[str, int]]:
    return discrepancy_list.newest_open(MOST_TOLD), discrepancy_list.open_by_code()
