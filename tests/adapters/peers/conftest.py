"""Provides a deployment on the session's Prefect server, like that of `cellar worker` but without a worker."""

import asyncio

import pytest
from prefect.client.orchestration import PrefectClient

from adapters.peers.prefect_api import DEPLOYMENT
from tests.conftest import Configure


@pytest.fixture
def deployment(configure: Configure, prefect_server: str) -> str:
    """Return the URL of a Prefect server that has our deployment, and point the settings to it."""
    configure(PREFECT_API_URL=prefect_server)
    asyncio.run(_deploy(prefect_server))
    return prefect_server


async def _deploy(api_url: str) -> None:
    flow_name, _, name = DEPLOYMENT.partition("/")
    async with PrefectClient(api_url) as client:
        flow_id = await client.create_flow_from_name(flow_name)
        await client.create_deployment(flow_id, name, entrypoint="nowhere:nothing")
