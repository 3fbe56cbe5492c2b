"""One of several workers that want a run takes it, and knows that. All runs are found, whatever their number."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect import Flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import StateType
from prefect.states import Completed, Pending, Running, Scheduled

from adapters.settings.environment import POOL
from flows.worker import pool
from flows.worker.pool import is_taken_by_us, take, unended_runs
from tests.flows import workers

pytestmark = pytest.mark.usefixtures("prefect")


def _nothing() -> None: ...


FLOW: Flow[..., Any] = Flow(_nothing, name="anything")


class LosesFirstAnswer(httpx.AsyncHTTPTransport):
    """A connection that breaks after the server has processed a request."""

    has_lost = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        if request.url.path.endswith("/set_state") and not self.has_lost:
            self.has_lost = True
            await answer.aread()
            raise httpx.ReadError("lost", request=request)
        return answer


class SlowReader(httpx.AsyncHTTPTransport):
    """A connection that calls a function after the first page of runs."""

    def __init__(self, after_first_page: Callable[[list[UUID]], Awaitable[None]]) -> None:
        super().__init__()
        self._after_first_page = after_first_page
        self.pages = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        if request.url.path.endswith("/flow_runs/filter"):
            self.pages += 1
            if self.pages == 1:
                await self._after_first_page([UUID(each["id"]) for each in json.loads(await answer.aread())])
        return answer


async def scheduled() -> UUID:
    async with get_client() as client:
        return (await client.create_flow_run(FLOW, state=Scheduled())).id


def test_run_is_taken_by_one_worker_only() -> None:
    async def _check() -> None:
        flow_run_id = await scheduled()
        async with get_client() as client, get_client() as other:
            assert await take(client, flow_run_id)
            assert await is_taken_by_us(client, flow_run_id)
            assert not await take(other, flow_run_id)

    asyncio.run(_check())


def test_run_is_ours_even_if_the_answer_is_lost() -> None:
    async def _check() -> None:
        flow_run_id, connection = await scheduled(), LosesFirstAnswer()
        async with get_client(httpx_settings={"transport": connection}) as client:
            assert await take(client, flow_run_id)
            assert connection.has_lost
            assert (await client.read_flow_run(flow_run_id)).state_type is StateType.PENDING

    asyncio.run(_check())


def test_run_taken_by_a_stock_worker_is_not_ours() -> None:
    async def _check() -> None:
        flow_run_id = await scheduled()
        async with get_client() as client:
            await client.set_flow_run_state(flow_run_id, Pending())
            assert not await take(client, flow_run_id)
            assert not await is_taken_by_us(client, flow_run_id)

    asyncio.run(_check())


def test_all_unended_runs_are_found_while_some_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is more than a page of runs, and runs of the first page end before the second is requested."""
    monkeypatch.setattr(pool, "RUNS_PER_PAGE", 20)

    async def _check() -> None:
        async with get_client() as other:
            await workers.make_pool(other)
            made = [await _running(other) for _ in range(25)]
            ended: list[UUID] = []

            async def end_some(first_page: list[UUID]) -> None:
                for each in first_page[:10]:
                    await other.set_flow_run_state(each, Completed(), force=True)
                    ended.append(each)

            connection = SlowReader(end_some)
            async with get_client(httpx_settings={"transport": connection}) as client:
                found = await unended_runs(client, FLOW.name)

            assert len(ended) == 10
            assert sorted(each.id for each in found) == sorted(made)
            assert sorted(each.id for each in await unended_runs(other, FLOW.name)) == sorted({*made} - {*ended})
            for each in made:
                await other.delete_flow_run(each)

    asyncio.run(_check())


async def _running(client: PrefectClient) -> UUID:
    return (await client.create_flow_run(FLOW, state=Running(), work_pool_name=POOL)).id
