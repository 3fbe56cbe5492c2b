"""Whether the receiver lives, and whether it can take payloads."""

import asyncio
import os
import secrets
from collections.abc import Coroutine
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from adapters import prefect_api
from adapters.database import is_reachable
from adapters.durable import make_folder
from adapters.settings import settings
from api.receiving import on_disk

_PATIENCE_S = 2

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="200 while the process lives")
def healthz() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/readyz", summary="200 while payloads can be stored")
async def readyz() -> JSONResponse:
    """503 with the reason otherwise. Database and Prefect are named too, and no reason to refuse: a payload that is
    stored waits for them.
    """
    reason = await on_disk(_why_not_storable)
    database, prefect = await asyncio.gather(
        _within_time(asyncio.to_thread(is_reachable)), _within_time(prefect_api.is_healthy())
    )
    state = {
        "status": "ready" if reason is None else "not ready",
        "reason": reason,
        "database": "ok" if database else "unreachable",
        "prefect": "ok" if prefect else "unreachable",
    }
    return JSONResponse(state, status_code=200 if reason is None else 503)


async def _within_time(check: Coroutine[Any, Any, bool]) -> bool:
    """Whether a check says so soon: one that hangs must not hold up the answer."""
    try:
        return await asyncio.wait_for(check, _PATIENCE_S)
    except TimeoutError:
        return False


def _why_not_storable() -> str | None:
    """Tries it: a full disk, a missing mount and a read-only one all show at the first synced byte."""
    probe = settings().inbox_dir / "waiting" / f".probe-{secrets.token_hex(8)}.part"
    try:
        make_folder(probe.parent)
        with probe.open("wb") as file:
            file.write(b"probe")
            file.flush()
            os.fsync(file.fileno())
        probe.unlink()
    except OSError as error:
        return f"the inbox does not take payloads: {error.strerror}"
    return None
