"""`POST /webhooks/cellosign`: receives an archive, and answers as Cellosign documents it."""

import time
from typing import Any, Literal

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect

from adapters.observation import metrics
from adapters.observation.log import bound, reference_digest
from adapters.observation.tracing import TRACEPARENT, span
from adapters.settings.settings import settings
from api.access import open_to_anybody
from api.authorization import SENDERS_SECRET, address_of
from api.errors import UNEXPECTED, Responses, challenge, failures
from api.gate import WEBHOOKS, disconnected
from api.links import link_of
from api.receiver.admission import Admission
from api.receiver.dispatching import Dispatcher
from api.receiver.receiving import KeptEvent, Rejection, check_size, receive
from api.receiver.senders import Senders
from models.errors import System, Transient
from models.runs.receipt import DEFAULT_SOURCE, RefusedDelivery

router = APIRouter(prefix=WEBHOOKS, tags=["webhook"])
log = structlog.get_logger()

_KEPT_HEADERS = ("content-type", "content-encoding", "user-agent", "x-request-id")
_ARCHIVE: dict[str, Any] = {
    "type": "object",
    "required": ["event", "reference", "sessions"],
    "properties": {
        "event": {"type": "object", "required": ["type"], "properties": {"type": {"const": "WHP_ARCHIVE"}}},
        "reference": {"type": "string", "minLength": 1, "maxLength": 255},
        "sessions": {"type": "array", "items": {}},
    },
    "description": "An archive, as Cellosign documents its webhook. Further members may be missing, and may be of any"
    " type: then the archive has warnings.",
    "example": {"event": {"type": "WHP_ARCHIVE"}, "reference": "hello-cellar", "sessions": []},
}
_OTHER = {
    "type": "object",
    "required": ["event"],
    "properties": {
        "event": {
            "type": "object",
            "required": ["type"],
            "properties": {"type": {"type": "string", "minLength": 1, "not": {"const": "WHP_ARCHIVE"}}},
        }
    },
    "description": "Another event: it is kept.",
}
_BODY = {"content": {"application/json": {"schema": {"anyOf": [_ARCHIVE, _OTHER]}}}, "required": True}


class Document(BaseModel):
    """What became of an accepted archive or session event."""

    reference: str = Field(description="The receipt id: the SHA-256 of the request body, in hex.")
    public_link: str | None = Field(
        None,
        description="A page that shows the archive's state. Absent for session events, and if `CELLAR_PUBLIC_LINK` is"
        " `none`.",
    )


class Accepted(BaseModel):
    """The body is a well-formed archive or a session event, and it is on stable storage."""

    status: Literal["0"]
    document: Document
    errordesc: Literal[""]


class NotAccepted(BaseModel):
    """The archive was not accepted."""

    status: Literal["-1"]
    document: None
    errordesc: str = Field(description="`CODE at PLACE: what was expected`; some codes have no place.")


_ACCEPTED: Responses = {
    200: {
        "model": Accepted | NotAccepted,
        "description": 'Status `"0"`: the body is a well-formed archive or session event, and on stable storage.'
        ' If `CELLAR_ERROR_HTTP` is `200`, all failures below come with HTTP status 200 and status `"-1"`.',
    }
}
_NOT_ACCEPTED = failures(
    {
        400: {
            "EMPTY_BODY": "the body is empty.",
            "NOT_UTF8": "the body is not UTF-8.",
            "NOT_JSON": "the body is not JSON (RFC 8259).",
            "NOT_AN_OBJECT": "the body is JSON, but not an object.",
            "TOO_DEEP": "the JSON is nested too deeply.",
            "TRUNCATED": "the body ends too early.",
            "NOT_HTTP": "the request is not HTTP/1.1, or not with one `Host` and no coding but `chunked`.",
            "BAD_LENGTH": "`Content-Length` has too many digits.",
            "BAD_PATH": "the path has the segment `.` or `..`, a backslash, or two slashes at its beginning.",
        },
        401: {"UNAUTHORIZED": "the secret or the signature is missing or wrong."},
        403: {"ADDRESS_NOT_ALLOWED": "the source does not take archives from this address."},
        408: {
            "BODY_TIMEOUT": "the body stopped or came too slowly; send the archive again.",
            "HEADER_TIMEOUT": "the request's headers did not end in time.",
        },
        413: {
            "TOO_LARGE": "the body has more bytes than `CELLAR_MAX_BODY_BYTES`.",
            "SKELETON_TOO_LARGE": "the body is too large beside its files.",
            "TOO_MANY_VALUES": "the body has too many JSON values beside its files.",
            "TOO_MANY_FILES": "the archive has too many files.",
        },
        415: {"COMPRESSED": "the body is compressed; send it without a `Content-Encoding`."},
        422: {
            "EVENT_MISSING": "`event.type` is missing.",
            "FORM_FIELD_CHANGED": "the event expects field data back; take it off the webhook.",
            "SESSION_MISSING": "a session event names no session.",
            "REFERENCE_MISSING": "`reference` is missing.",
            "BAD_REFERENCE": "`reference` is not a text of at most 255 characters without NUL.",
            "SESSIONS_MISSING": "`sessions` is not a list.",
            "NOT_BASE64": "the content of a file is not base64.",
        },
        431: {"HEAD_TOO_LARGE": "the request has too many headers, or too long ones."},
        503: {"UNAVAILABLE": "the archive cannot be stored now; send it again after the seconds in `Retry-After`."},
        **UNEXPECTED,
    },
    NotAccepted,
)
_NOT_ACCEPTED[503]["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}


@router.post(
    "/cellosign",
    summary="Receive an archive",
    openapi_extra={"requestBody": _BODY, "security": [{each: []} for each in SENDERS_SECRET]},
    responses=_ACCEPTED | _NOT_ACCEPTED,
    response_description="Accepted",
)
@open_to_anybody("senders present a secret of their source")
async def webhook(request: Request) -> JSONResponse:
    """Send the JSON of an ended process as the body, with the secret of its source in any of the four ways.

    `/webhooks/cellosign/NAME` is the same for the source NAME, a project of Cellosign with secrets of its own. The URL
    without a name is the source `default`.

    Session events of Cellosign have the same URL, secrets and answers. An event of an unknown type is kept.

    Send an archive again that gets no answer, 408, 500 or 503: cellar keeps the same body once. After any other failure
    the body, the secret or the set-up of the webhook must change first.
    """
    began_s = time.monotonic()
    source = request.path_params.get("source", DEFAULT_SOURCE)
    senders: Senders = request.app.state.senders
    body = await senders.admit(request, source)
    announced_bytes = int(request.headers.get("content-length", 0))
    check_size(announced_bytes)
    headers = {name: request.headers[name] for name in _KEPT_HEADERS if name in request.headers}
    admission: Admission = request.app.state.admission
    dispatcher: Dispatcher = request.app.state.dispatcher
    try:
        with admission.place(address_of(request), source) as place:
            place.reserve(announced_bytes)
            with span("receive", request.headers.get(TRACEPARENT)) as traced:
                if traced.traceparent:
                    headers[TRACEPARENT] = traced.traceparent
                received = await receive(body, headers, place, source, request.app.state.journal)
                if isinstance(received, Rejection):
                    _log_refused(received.delivery)
                    dispatcher.announce_refused(received.delivery)
                    raise received.error
                if isinstance(received, KeptEvent):
                    return _acknowledged(received, senders.label(source), time.monotonic() - began_s)
                traced.note(receipt_id=received.receipt_id, size_bytes=received.size_bytes)
    except ClientDisconnect as error:
        raise disconnected() from error
    except OSError as error:
        why = f"the inbox cannot store the archive: {error.strerror or type(error).__name__}; send it again later"
        away = Transient(why, system=System.STORE)
        _log_not_stored(away, senders.label(source), announced_bytes)
        raise away from error
    except Transient as error:
        if error.system:  # else the receiver is busy
            _log_not_stored(error, senders.label(source), announced_bytes)
        raise
    # Unbound at the end: the next request of the connection may begin in this context.
    with bound(received.reference, received.receipt_id):
        duration_s = time.monotonic() - began_s
        _count(senders.label(source), received.size_bytes, duration_s)
        described = {"size_bytes": received.size_bytes, "source": source}
        log.info("archive received", outcome="stored", **described, duration_s=round(duration_s, 4))
        dispatcher.announce(received)
    document = {"reference": received.receipt_id}
    if settings().public_link == "token":
        document["public_link"] = link_of(received.receipt_id, received.received_at)
    return JSONResponse({"status": "0", "document": document, "errordesc": ""})


def _acknowledged(kept: KeptEvent, source: str, duration_s: float) -> JSONResponse:
    """Count a session event, and return its answer. Its batch has logged it; there is no public page of an event."""
    _count(source, kept.event.size_bytes, duration_s)
    metrics.count_event(source, kept.said.type if kept.said.is_known else None)
    return JSONResponse({"status": "0", "document": {"reference": kept.event.receipt_id}, "errordesc": ""})


def _count(source: str, size_bytes: int, duration_s: float) -> None:
    metrics.DELIVERIES.labels(200, metrics.ACKNOWLEDGED).inc()
    metrics.SOURCE_DELIVERIES.labels(source, "acknowledged").inc()
    metrics.BODY_BYTES.observe(size_bytes)
    metrics.ACKNOWLEDGEMENT_SECONDS.observe(duration_s)


def _log_not_stored(error: Transient, source: str, size_bytes: int) -> None:
    """Log that a sender is turned away by a disk or bucket: nothing else tells of it before five senders are."""
    log.error(
        "an archive is not stored; its sender is asked to send it again",
        why=str(error),
        source=source,
        size_bytes=size_bytes,
    )


def _log_refused(delivery: RefusedDelivery) -> None:
    log.warning(
        "delivery refused",
        code=delivery.code,
        where=delivery.where,
        size_bytes=delivery.size_bytes,
        receipt_id=delivery.receipt_id,
        source=delivery.source,
        reference_digest=reference_digest(delivery.reference) if delivery.reference else None,
    )


def failure(status: int, why: str) -> JSONResponse:
    """Return the documented answer to an archive that was not accepted."""
    content: dict[str, Any] = {"status": "-1", "document": None, "errordesc": why}
    told = 200 if settings().error_http == "200" else status
    headers = challenge("Bearer", "Basic") if told == 401 else {"retry-after": "30"} if status == 503 else None
    return JSONResponse(content, status_code=told, headers=headers)
