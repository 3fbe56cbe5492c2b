"""The flow `sweep-inbox`: every receipt in the inbox has a run that is on its way.

The receiver triggers what it takes in. This flow also asks Prefect what has become of those runs, and it works where no
receiver lives.
"""

from collections.abc import Sequence

from prefect import flow, get_run_logger
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from flows.execution.results import RESULTS
from models.runs.receipt import Delivery
from models.runs.run import Trigger
from services.triggering.trigger import forgotten, trigger, untriggered

DEPLOYMENT = "sweep-inbox/scheduled"


# It keeps no result; without a storage, Prefect would ask its server for one in a call that blocks the event loop.
@flow(name="sweep-inbox", result_storage=RESULTS, persist_result=False)
async def sweep_inbox() -> None:
    """Start a run for what waits in the inbox without one, or whose run has ended or is gone from Prefect's history.

    What has failed, or was cancelled by a person, waits for a person or for the next sending.
    """
    log = get_run_logger()
    log.info("%d deliveries had no run and have one now", await _trigger_all(await untriggered()))
    log.info("%d had one that is over or unknown to Prefect, and have another", await _trigger_all(await forgotten()))


async def _trigger_all(deliveries: Sequence[Delivery]) -> int:
    return sum([await trigger(delivery, Trigger.SWEEP) for delivery in deliveries])


async def drop_late_runs() -> None:
    """Delete the runs that were due while no worker was there. A step of the deployment, see `prefect.yaml`.

    There is one for every five minutes, and one would do the work of all of them.
    """
    async with get_client() as client:
        try:
            deployment = await client.read_deployment_by_name(DEPLOYMENT)
        except ObjectNotFound:
            return
        # This request deletes all scheduled runs; the client's own `pause_deployment` sends another, which keeps those
        # that are late.
        await client.request("POST", "/deployments/{id}/pause_deployment", path_params={"id": deployment.id})
        await client.resume_deployment(deployment.id)
