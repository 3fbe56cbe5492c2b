"""The flow `notify-people`: tells people by mail or chat what needs them, one message for each outage."""

from datetime import UTC, datetime

from prefect import flow, get_run_logger

from adapters.platform.cancellation import in_thread
from flows.execution.attempts import without_text
from flows.execution.late_runs import drop_late_runs_of
from flows.execution.results import RESULTS
from services.people.letters import tell

DEPLOYMENT = "notify-people/scheduled"


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


async def drop_late_runs() -> None:
    """Delete the runs that became due while no worker ran. A step of the deployment, see `prefect.yaml`."""
    await drop_late_runs_of(DEPLOYMENT)
