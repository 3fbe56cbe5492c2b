"""Reports whether the receiver lives, and whether it can store and trigger payloads."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from adapters.database.transactions import is_reachable
from adapters.inbox import inbox
from adapters.peers import prefect_api
from adapters.platform.loops import loops_down
from api.access import open_to_anybody
from api.receiver.processes import FAILED_LOG_WRITES, LOOPS_DOWN, SOURCES_STATE, Processes
from api.receiver.receiving import on_disk
from api.receiver.senders import STATES, Senders, State
from models.errors import Transient

_PATIENCE_S = 2
_PATIENCE_WITH_INBOX_S = 5

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The answer of a process that lives."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether payloads can be stored and are triggered, and the state of what the receiver needs."""

    status: Literal["ready", "not ready"]
    reason: str | None = Field(description="Why the receiver is not ready.")
    database: Literal["ok", "unreachable"]
    prefect: Literal["ok", "unreachable"]
    sources: State = Field(
        description="Whether the sources were read from the store the last time: `kept` as they were before, or never, "
        "and then senders with a source of their own are asked to send again."
    )
    processes: int = Field(description="Processes of this receiver that serve its port.")
    failed_log_writes: int = Field(description="Lines of the log that could not be written since the start.")


@router.get("/healthz", summary="200 while the process lives", response_description="The process lives.")
@open_to_anybody("probes have no token")
def healthz() -> Health:
    return Health()


@router.get(
    "/readyz",
    summary="200 while payloads can be stored, and are triggered",
    response_description="Payloads can be stored, and are triggered.",
    responses={503: {"model": Readiness, "description": "Not ready; `reason` says why."}},
)
@open_to_anybody("probes have no token")
async def readyz(request: Request, response: Response) -> Readiness:
    """An unreachable database or Prefect is reported but is no reason for 503: stored payloads wait for them."""
    state = request.app.state
    checking: asyncio.Task[Readiness] | None = getattr(state, "checking", None)
    if checking is None or checking.done():  # requests at the same time share a check: anybody may send many
        checking = state.checking = asyncio.create_task(_readiness(state.processes, state.senders))
    found = await asyncio.shield(checking)
    response.status_code = 200 if found.reason is None else 503
    return found


async def _readiness(processes: Processes, senders: Senders) -> Readiness:
    processes.show(STATES.index(senders.state))
    reason = await why_not_ready(processes)
    database, prefect = await asyncio.gather(
        _within_time(asyncio.to_thread(is_reachable)), _within_time(prefect_api.is_healthy())
    )
    return Readiness(
        status="ready" if reason is None else "not ready",
        reason=reason,
        database="ok" if database else "unreachable",
        prefect="ok" if prefect else "unreachable",
        sources=STATES[processes.worst(SOURCES_STATE)],
        processes=processes.serving,
        failed_log_writes=processes.total(FAILED_LOG_WRITES),
    )


async def why_not_ready(processes: Processes) -> str | None:
    """Return why payloads are not stored or not triggered. None if both work, in all processes of the receiver."""
    return await _why_not_stored() or _why_not_triggering(processes)


async def _within_time(check: Coroutine[Any, Any, bool]) -> bool:
    """Return the result of a check, or False after 2 s: a check that hangs must not delay the answer."""
    try:
        return await asyncio.wait_for(check, _PATIENCE_S)
    except TimeoutError:
        return False


async def _why_not_stored() -> str | None:
    try:
        return await asyncio.wait_for(on_disk(_why_not_storable), _PATIENCE_WITH_INBOX_S)
    except TimeoutError:
        return f"the inbox does not take payloads: it does not answer within {_PATIENCE_WITH_INBOX_S} s"


def _why_not_triggering(processes: Processes) -> str | None:
    """Return why stored payloads are not triggered: which loop is down. None if no loop is down."""
    down = "; ".join(f"{name} has ended ({why}) and begins again" for name, why in loops_down().items())
    if not down and processes.of_others(LOOPS_DOWN):
        down = "a loop of another process of the receiver has ended and begins again; its log names it"
    return f"payloads are stored and not triggered: {down}" if down else None


def _why_not_storable() -> str | None:
    try:
        inbox.try_out()
    except OSError as error:
        return f"the inbox does not take payloads: {error.strerror}"
    except Transient as error:
        return f"the inbox does not take payloads: {error}"
    return None
