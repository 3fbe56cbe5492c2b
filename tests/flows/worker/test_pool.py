"""Of several workers that want a run, one takes it, and knows that."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.states import Pending, Scheduled

from flows.worker.pool import is_taken_by_us, take

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
