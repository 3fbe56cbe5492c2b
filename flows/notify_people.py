"""The flow `notify-people`: tells people by mail or chat what needs them, in a letter an hour at most."""

from datetime import UTC, datetime

from prefect import get_run_logger

from adapters.platform.cancellation import in_thread
from flows.execution.engine import done_by
from flows.execution.tasks import counted, name_run, of_cellar
from services.people.letters import Sent, tell


@of_cellar("notify-people", "notify people")
async def notify_people() -> None:
    """Look at the installation, and tell people what has begun, has grown or is over. Nothing is told twice.

    An address that takes no letter is tried again, ever more rarely. `cellar status` shows it too.
    """
    sent = await done_by(send_letters)
    failed = [each for each in sent if each.failure]
    for each in failed:
        get_run_logger().error("%s has not taken “%s”: %s", each.address, each.title, each.failure)
    counts = (("sent", len(sent) - len(failed)), ("could not send", len(failed)))
    await name_run([f"{what} {counted(number, 'letter')}" for what, number in counts if number])


async def send_letters() -> list[Sent]:
    return await in_thread(tell, datetime.now(UTC))
