"""A worker starts even if its Prefect server fails once."""

import asyncio
from importlib import import_module
from pkgutil import iter_modules

import httpx
import pytest
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.context import AsyncClientContext

import flows
from flows.worker.serving import FLOWS, deployed_flows
from models.access import Action


def test_every_flow_is_served_and_names_its_action() -> None:
    modules = [import_module(f"flows.{each.name}") for each in iter_modules(flows.__path__) if not each.ispkg]
    found = {each for module in modules for each in vars(module).values() if isinstance(each, Flow)}

    assert found == FLOWS.keys()
    assert set(FLOWS.values()) <= set(Action)


class FailsOnce(httpx.AsyncHTTPTransport):
    """A connection to a server that fails at the first request to a path."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self.has_failed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith(self._path) and not self.has_failed:
            self.has_failed = True
            return httpx.Response(500, request=request)
        return await super().handle_async_request(request)


@pytest.mark.faults
@pytest.mark.usefixtures("prefect")
@pytest.mark.parametrize("path", ["/work_pools/", "/flows/name/sweep-inbox", "/create_flow_run"])
def test_request_that_fails_once_at_the_start_is_repeated(path: str) -> None:
    async def _deploy() -> int:
        connection = FailsOnce(path)
        # As in a worker, Prefect's own functions share a client, which they do not close.
        async with AsyncClientContext(), get_client(httpx_settings={"transport": connection}) as client:
            flows = await deployed_flows(client)
        assert connection.has_failed
        return len(flows)

    assert asyncio.run(_deploy()) == 13
