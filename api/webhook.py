"""`POST /webhooks/cellosign`: takes an archive in, and answers as Cellosign's page documents it."""

from contextlib import suppress
from typing import Any

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from adapters.settings import settings
from api.authorization import check_sender
from api.dispatching import Dispatcher
from api.public_link import link_of
from api.receiving import check_size, receive
from models.errors import Refused, Transient

router = APIRouter(prefix="/webhooks", tags=["webhook"])
log = structlog.get_logger()

_DRAINED_BYTES = 8 << 20
_KEPT_HEADERS = ("content-type", "user-agent", "x-request-id")


_BODY = {"requestBody": {"content": {"application/json": {}}, "required": True}}


@router.post("/cellosign", summary="Take an archive in", openapi_extra=_BODY)
async def webhook(request: Request) -> JSONResponse:
    """Status `"0"` means: the body is a well-formed archive, and it is on stable storage."""
    try:
        check_sender(request.headers)
        check_size(int(request.headers.get("content-length", 0)))
    except Refused:
        await _drain(request)
        raise
    headers = {name: request.headers[name] for name in _KEPT_HEADERS if name in request.headers}
    try:
        sending = await receive(request.stream(), headers)
    except OSError as error:
        raise Transient(f"the inbox does not take it: {error.strerror}; send it again later") from error
    log.info("archive received", receipt_id=sending.receipt_id, size_bytes=sending.size_bytes)
    dispatcher: Dispatcher = request.app.state.dispatcher
    dispatcher.announce(sending)
    document = {"reference": sending.receipt_id}
    if settings().public_link == "token":
        document["public_link"] = link_of(sending.receipt_id)
    return JSONResponse({"status": "0", "document": document, "errordesc": ""})


def failure(status: int, why: str) -> JSONResponse:
    """The documented answer to what was not taken in."""
    content: dict[str, Any] = {"status": "-1", "document": None, "errordesc": why}
    headers = {"retry-after": "30"} if status == 503 else None
    return JSONResponse(content, status_code=200 if settings().error_http == "200" else status, headers=headers)


async def _drain(request: Request) -> None:
    """Read a bounded rest of a body that nobody wants: closed at once, its sender would see a reset, not the answer.

    Who waits for `100 Continue` has sent nothing yet and need not.
    """
    if request.headers.get("expect", "").lower() == "100-continue":
        return
    left_bytes = _DRAINED_BYTES
    with suppress(ClientDisconnect):
        async for chunk in request.stream():
            left_bytes -= len(chunk)
            if left_bytes < 0:
                return
