"""Whether the receiver lives, and whether it can take payloads."""

import asyncio
import os
import secrets

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from adapters import prefect_api
from adapters.database import is_reachable
from adapters.durable import make_folder
from adapters.settings import settings

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="200 while the process lives")
def healthz() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/readyz", summary="200 while payloads can be stored")
async def readyz() -> JSONResponse:
    """503 with the reason otherwise. Database and Prefect are named too, and no reason to refuse: a payload that is
    stored waits for them.
    """
    reason = await asyncio.to_thread(_why_not_storable)
    database, prefect = await asyncio.gather(asyncio.to_thread(is_reachable), prefect_api.is_healthy())
    state = {
        "status": "ready" if reason is None else "not ready",
        "reason": reason,
        "database": "ok" if database else "unreachable",
        "prefect": "ok" if prefect else "unreachable",
    }
    return JSONResponse(state, status_code=200 if reason is None else 503)


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
