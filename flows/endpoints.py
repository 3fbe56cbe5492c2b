"""Tells endpoints: what an answer means, and messages that are of no single archive."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from uuid import uuid4

from prefect import task

from adapters.peers import downstream
from adapters.platform.settings import settings
from flows.execution.retries import RETRIED
from models.errors import Refused, Transient
from models.runs.notification import NotificationState


@dataclass(frozen=True, slots=True)
class Attempt:
    """What has become of a message. `status_code` is None where no answer came; `error` then says why."""

    state: NotificationState
    status_code: int | None = None
    error: str | None = None


async def attempt(endpoint: str, message_id: str, body: bytes) -> Attempt:
    """Send a message to one endpoint, once."""
    try:
        status_code = await downstream.post(endpoint, message_id, body, datetime.now(UTC))
    except Transient as error:
        return Attempt(NotificationState.PENDING, error=str(error))
    except Refused as error:
        return Attempt(NotificationState.DEAD, error=error.detail)
    if 200 <= status_code < 300:
        return Attempt(NotificationState.DELIVERED, status_code)
    return Attempt(NotificationState.DEAD if status_code == HTTPStatus.GONE else NotificationState.PENDING, status_code)


def check_confirmed(message_id: str, made: Attempt) -> None:
    """Fail the task whose message nobody has confirmed.

    Raises:
        Refused: the endpoint may not be called, or is gone for good.
        Transient: it does not confirm now.
    """
    if made.state is NotificationState.PENDING:
        why = made.error or f"the endpoint answered {made.status_code}"
        raise Transient(f"message {message_id} is not confirmed: {why}")
    if made.state is NotificationState.DEAD:
        raise Refused("NOT_DELIVERABLE", f"message {message_id}: {made.error or 'the endpoint is gone for good'}")


async def tell_endpoints(body: bytes) -> None:
    """Tell each endpoint, side by side. One that is down fails its task run, which tells, and never the flow."""
    message_id = f"msg_{uuid4().hex}"
    told = (tell_endpoint(endpoint, message_id, body) for endpoint in settings().notify_urls)
    await asyncio.gather(*told, return_exceptions=True)


@task(name="tell-endpoint", **RETRIED)
async def tell_endpoint(endpoint: str, message_id: str, body: bytes) -> None:
    """Tell one endpoint. Raises as `check_confirmed` does."""
    check_confirmed(message_id, await attempt(endpoint, message_id, body))
