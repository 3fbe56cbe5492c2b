"""Drops the runs of a schedule that became due while no worker ran."""

from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound


async def drop_late_runs_of(deployment_name: str) -> None:
    """Delete the scheduled runs of a deployment. Many became due, and a single run does the work of all of them."""
    async with get_client() as client:
        try:
            deployment = await client.read_deployment_by_name(deployment_name)
        except ObjectNotFound:
            return
        # This request deletes all scheduled runs. The client's `pause_deployment` sends another request, which keeps
        # the late runs.
        await client.request("POST", "/deployments/{id}/pause_deployment", path_params={"id": deployment.id})
        await client.resume_deployment(deployment.id)
