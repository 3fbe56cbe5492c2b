"""Checks the address of an endpoint, and sends it a test message."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import httpx

from adapters.peers import downstream
from adapters.peers.addresses import fault_at
from domain.messages.bodies.report_bodies import endpoint_test
from domain.messages.retrying import is_confirmation
from models.errors import Refused, Transient
from models.views.messages.endpoints import EndpointTest
from services.messages.attempts.attempts import try_once
from services.messages.endpoints.endpoints import get


async def warnings_at(url: str) -> list[str]:
    """Return what may go wrong at the address of an endpoint. Nothing is sent.

    Raises:
        Refused: it is no URL, or its address is private and private addresses are not allowed.
    """
    try:
        addresses = await downstream.public_addresses(url)
    except Transient as error:
        return [str(error)]
    warnings = [] if httpx.URL(url).scheme == "https" else ["messages to http:// are not encrypted on their way"]
    faults = await asyncio.gather(*(fault_at(url, address) for address in addresses))
    if all(faults):
        warnings += dict.fromkeys(f"the endpoint does not answer now: {fault}" for fault in faults)
    return warnings


async def send_test(name: str) -> EndpointTest:
    """Send an endpoint a test message now, even if it is disabled, and return what became of it.

    Raises:
        Refused: the endpoint is unknown.
        Locked: the endpoint's keys cannot be opened.
        Transient: database or store does not answer.
    """
    endpoint = await asyncio.to_thread(get, name)
    if endpoint.removed_at:
        raise Refused("UNKNOWN_ENDPOINT", "the endpoint was removed", status=404)
    message_id = f"msg_{uuid4().hex}"
    async with downstream.line() as line:
        made = await try_once(endpoint, message_id, endpoint_test(name, datetime.now(UTC)), line)
    return EndpointTest(
        endpoint=name,
        message_id=message_id,
        delivered=is_confirmation(made.status_code),
        stage=made.stage,
        status_code=made.status_code,
        why=made.error,
        duration_s=round((made.ended_at - made.began_at).total_seconds(), 3),
        answer=made.answer,
    )
