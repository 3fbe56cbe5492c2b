"""Of several workers that want a run, one takes it, and knows that; and all runs are found, however many."""

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

from adapters.platform.environment import POOL
from flows.worker.pool import RUNS_PER_PAGE, is_taken_by_us, take, unended_runs
from tests.flows import workers

pytestmark = pytest.mark.usefixtures("prefect")


def _nothing() -> None: ...


FLOW: Flow[..., Any] = Flow(_nothing, name="anything")


class LosesFirstAnswer(httpx.AsyncHTTPTransport):
    """A connection that breaks after the server has done what it was asked for."""

    has_lost = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        if request.url.path.endswith("/set_state") and not self.has_lost:
            self.has_lost = True
            await answer.aread()
            raise httpx.ReadError("lost", request=request)
        return answer


class SlowReader(httpx.AsyncHTTPTransport):
    """A connection on which the first page of runs comes, and then something happens."""

    def __init__(self, meanwhile: Callable[[list[UUID]], Awaitable[None]]) -> None:
        super().__init__()
        self._meanwhile = meanwhile
        self.pages = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        if request.url.path.endswith("/flow_runs/filter"):
            self.pages += 1
            if self.pages == 1:
                await self._meanwhile([UUID(each["id"]) for each in json.loads(await answer.aread())])
        return answer


async def scheduled() -> UUID:
    async with get_client() as client:
        return (await client.create_flow_run(FLOW, state=Scheduled())).id


def test_run_is_taken_by_one() -> None:
    async def _check() -> None:
        flow_run_id = await scheduled()
        async with get_client() as client, get_client() as other:
            assert await take(client, flow_run_id)
            assert await is_taken_by_us(client, flow_run_id)
            assert not await take(other, flow_run_id)

    asyncio.run(_check())


def test_run_is_ours_although_the_answer_was_lost() -> None:
    async def _check() -> None:
        flow_run_id, connection = await scheduled(), LosesFirstAnswer()
        async with get_client(httpx_settings={"transport": connection}) as client:
            assert await take(client, flow_run_id)
            assert connection.has_lost
            assert (await client.read_flow_run(flow_run_id)).state_type is StateType.PENDING

    asyncio.run(_check())


def test_run_that_a_stock_worker_has_taken_is_not_ours() -> None:
    async def _check() -> None:
        flow_run_id = await scheduled()
        async with get_client() as client:
            await client.set_flow_run_state(flow_run_id, Pending())
            assert not await take(client, flow_run_id)
            assert not await is_taken_by_us(client, flow_run_id)

    asyncio.run(_check())


def test_all_unended_runs_are_found_while_others_end() -> None:
    """There are more than a page of them, and some of the first page end before the next is asked for."""

    async def _check() -> None:
        async with get_client() as other:
            await workers.make_pool(other)
            made = [await _running(other) for _ in range(RUNS_PER_PAGE + 5)]
            ended: list[UUID] = []

            async def meanwhile(first_page: list[UUID]) -> None:
                for each in first_page[:10]:
                    await other.set_flow_run_state(each, Completed(), force=True)
                    ended.append(each)

            connection = SlowReader(meanwhile)
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
