"""The flow `notify-people`: tells people by mail or chat what needs them, one message for each outage."""

from datetime import UTC, datetime

from prefect import flow, get_run_logger

from adapters.platform.cancellation import in_thread
from flows.execution.results import RESULTS
from flows.execution.tasks import without_text
from services.people.letters import tell


@flow(name="notify-people", result_storage=RESULTS, persist_result=False)
@without_text
async def notify_people() -> None:
    """Look at the installation, and tell people what has begun, has grown or is over. Nothing is told twice.

    What an address does not take is sent again for three days, ever more rarely. `cellar doctor` shows it too.
    """
    log = get_run_logger()
    for each in await in_thread(tell, datetime.now(UTC)):
        if each.failure:
            log.error("%s has not taken “%s”: %s", each.address, each.title, each.failure)
        else:
            log.info("%s has taken “%s”", each.address, each.title)
