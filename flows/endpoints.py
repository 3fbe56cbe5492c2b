"""Notifies the endpoints of events that concern no single archive."""

import asyncio
from uuid import uuid4

from prefect import task

from adapters.settings.settings import settings
from flows.execution.attempts import attempt_at
from flows.execution.retries import RETRIED
from services.messages.attempts import attempt, check_confirmed


async def notify_endpoints(body: bytes) -> None:
    """Notify all endpoints in parallel. An endpoint that is down fails its own task run and never the flow."""
    message_id = f"msg_{uuid4().hex}"
    told = (notify_endpoint(endpoint, message_id, body) for endpoint in settings().notify_urls)
    await asyncio.gather(*told, return_exceptions=True)


@task(name="notify-endpoint", **RETRIED)
@attempt_at("notify-endpoint")
async def notify_endpoint(endpoint: str, message_id: str, body: bytes) -> None:
    """Notify one endpoint. Raises as `check_confirmed` does."""
    check_confirmed(message_id, await attempt(endpoint, message_id, body))
