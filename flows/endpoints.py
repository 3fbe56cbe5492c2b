"""Tells the endpoints what is of no single archive. One that is down fails its task run, and never its flow."""

import asyncio
from datetime import UTC, datetime
from http import HTTPStatus
from uuid import uuid4

from prefect import task

from adapters import downstream
from adapters.settings import settings
from flows.retries import RETRIED
from models.errors import Refused, Transient


async def tell_endpoints(body: bytes) -> None:
    """Tell each endpoint, side by side. Their task runs tell who has confirmed."""
    message_id = f"msg_{uuid4().hex}"
    told = (tell_endpoint(endpoint, message_id, body) for endpoint in settings().notify_urls)
    await asyncio.gather(*told, return_exceptions=True)


@task(name="tell-endpoint", **RETRIED)
async def tell_endpoint(endpoint: str, message_id: str, body: bytes) -> None:
    """Tell one endpoint.

    Raises:
        Refused: the endpoint may not be called, or is gone for good.
        Transient: it does not confirm.
    """
    status_code = await downstream.post(endpoint, message_id, body, datetime.now(UTC))
    if status_code == HTTPStatus.GONE:
        raise Refused("NOT_DELIVERABLE", f"message {message_id}: the endpoint is gone for good")
    if not 200 <= status_code < 300:
        raise Transient(f"message {message_id} is not confirmed: the endpoint answered {status_code}")
