"""The receiver's ASGI application: webhook, JSON API, public link, health and console."""

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import structlog
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.routing import iter_route_contexts
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.inbox import inbox
from adapters.observation.metrics import DELIVERIES, REFUSED_DELIVERIES, SOURCE_DELIVERIES, begin_source
from adapters.platform.loops import in_background, supervised
from adapters.settings.settings import settings
from adapters.store import tokens
from api import authorization, metrics
from api.access import open_to_anybody
from api.errors import READERS_FAILURES, UNEXPECTED, challenge, failures
from api.gate import WEBHOOKS, Gate
from api.json import access, archives, batches, changes, endpoints, installation, templates, troubles
from api.json.routes import check_parameters
from api.receiver import health, oauth, public_link, webhook
from api.receiver.admission import Admission
from api.receiver.dispatching import Dispatcher
from api.receiver.processes import Processes
from api.receiver.receiving import Journal
from api.receiver.refusing import Refusing
from api.receiver.senders import STATES, Known, Senders
from models.errors import Conflict, Refused, Transient
from models.runs.receipt import DEFAULT_SOURCE
from models.said import Said, in_english, verbatim
from services.access import uses
from services.access.log import send_waiting

log = structlog.get_logger()
_REFUSED_EACH_TIME = {413, 422}
_USES_PAUSE_S, _SENDING_PAUSE_S = 3.0, 2.0
_THREAD = ThreadPoolExecutor(1, thread_name_prefix="uses")  # a hanging database holds no thread of asyncio
_OUTCOMES = dict.fromkeys(_REFUSED_EACH_TIME, "refused") | dict.fromkeys((401, 403), "unauthorised")


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    inbox.remove_leftovers()
    processes = app.state.processes = getattr(app.state, "processes", None) or Processes.alone()
    app.state.admission = Admission(processes)
    app.state.dispatcher = Dispatcher(app.state.admission, processes)
    app.state.journal = Journal(app.state.dispatcher.announce_events)
    app.state.senders = Senders()
    app.state.tokens = Known(tokens.RECORDS, "tokens")
    app.state.refusing = Refusing(processes)
    begin_source(DEFAULT_SOURCE)
    state = app.state
    async with (
        state.dispatcher.running(),
        state.senders.running(),
        state.tokens.running(),
        state.refusing.reporting(),
        processes.beating(lambda: STATES.index(state.senders.state)),
        in_background(
            supervised("the record of uses", _record_uses), supervised("sending the access log", _send_access_log)
        ),
    ):
        yield
    app.state.unauthorized.summarise()


async def _record_uses() -> None:
    """Write down every few seconds when secrets, tokens and links were used: never before an answer."""
    while True:
        await asyncio.sleep(_USES_PAUSE_S)
        await asyncio.get_running_loop().run_in_executor(_THREAD, uses.flush)


async def _send_access_log() -> None:
    """Send the access log elsewhere. While it is not taken, say so once."""
    is_taken = True
    while True:
        await asyncio.sleep(_SENDING_PAUSE_S)
        if not settings().access_log_url:
            continue
        try:
            await asyncio.to_thread(send_waiting)
        except Transient as error:
            if is_taken:
                log.warning("the access log is not taken, and is sent later", why=str(error))
            is_taken = False
        else:
            is_taken = True


_DESCRIPTION = """
Receives Cellosign archives, and serves them as JSON.

- Routes below `/api` need an API token, whose role may do some of it. A failure has a stable `code`, and says in
  `detail` what to do.
- Times are in UTC. A time in a request needs a zone.
- A reference may have any characters: percent-encode it in a path, slashes too.
- The token is checked first, on unknown paths below `/api` too. Then a body may have 1 MB, else it gets 413
  (`TOO_LARGE`). If it stops or is too slow, it gets 408 (`BODY_TIMEOUT`).
- After 20 wrong tokens in a minute, 60 in an hour or 200 in a day, further wrong tokens of an address get 429
  (`TOO_MANY_WRONG_TOKENS`) with `Retry-After`. After 50 in a minute, a token is let in only if it was right before.
- An unknown path gets 404 (`UNKNOWN_PATH`), a wrong method 405 (`WRONG_METHOD`), and a URL of more than 16 KiB or 1,000
  parameters 414 (`URL_TOO_LONG`).
- Bytes that are no HTTP request, and paths with the segment `.` or `..`, encoded or not, get the failure of the
  webhook, on any path: 400, 408 or 431. The filter `reference` finds references that have such segments.
"""
app = FastAPIOffline(  # a page of FastAPI itself would load Swagger UI from the internet
    redoc_url=None,
    static_url="/docs/assets",
    swagger_ui_parameters={"defaultModelsExpandDepth": 0},  # the routes show the schemas that they need
    title="cellar",
    description=_DESCRIPTION,
    version=version("cellosign-cellar"),
    lifespan=_lifespan,
    # FastAPI exports paths, with references, and messages of exceptions, by itself; see `adapters.observation.tracing`.
    telemetry={"tracing": False, "metrics": False, "logs": False},
    generate_unique_id_function=lambda route: route.name,  # names of functions in clients that are made of the schema
    redirect_slashes=False,  # such a redirect repeats the request's Host, which anybody can make up
    responses=failures(UNEXPECTED),
)
app.state.unauthorized = authorization.Unauthorized()
app.include_router(webhook.router)
_OF_READERS = (
    *(archives.router, changes.router, batches.reruns, batches.redeliveries, batches.erasures),
    *(troubles.of_money, troubles.failures, troubles.missing, troubles.refused),
    *(endpoints.router, endpoints.messages, templates.router, access.log),
    *(installation.glance, installation.anchors, installation.sources),
)
for each in _OF_READERS:
    app.include_router(
        each, dependencies=[Depends(authorization.API_TOKEN), Depends(check_parameters)], responses=READERS_FAILURES
    )
app.include_router(oauth.router)
app.include_router(public_link.router)
app.include_router(health.router)
app.include_router(metrics.router)


async def _opened(scope: Scope, receive: Receive, send: Send) -> None:
    """Import the console when a person first opens it: a receiver starts and stays small without it."""
    if not _console.cache_info().currsize:  # the import takes a second; later pages wait for no thread
        await asyncio.to_thread(_console)
    await _console()(scope, receive, send)


@cache
def _console() -> ASGIApp:
    from api.console.console import application, console  # noqa: PLC0415

    console.state = app.state
    return application


app.mount("/console", _opened)


@app.get("/console", include_in_schema=False)
@open_to_anybody("it leads to the login")
def _first_page() -> RedirectResponse:
    return RedirectResponse("/console/", 307)


_one_thread = threading.Lock()


def _openapi() -> dict[str, Any]:
    """Return FastAPI's schema, and the ways to present the sender's secret.

    FastAPI itself knows only ways that are dependencies of a route. These would cost each archive 60 µs. It builds
    the schema at the first request of the API, and fails if two threads do so at once.
    """
    with _one_thread:
        schema = FastAPI.openapi(app)
        schema["components"]["securitySchemes"].update(authorization.SENDERS_SECRET)
        _make_exact(schema)
        return schema


def _make_exact(schema: Any) -> None:
    """Give the limits of integers their values: FastAPI's are floats, of which the largest is greater by one."""
    for each in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(each, dict) and each.get("maximum") == 1 << 63:
            each |= {"maximum": (1 << 63) - 1, "minimum": -(1 << 63)}
        if isinstance(each, dict | list):
            _make_exact(each)


app.openapi = _openapi  # type: ignore[method-assign]
_building = asyncio.Lock()


@open_to_anybody("it describes the API")
async def _described(_request: Request) -> Response:
    """Return the schema. It is built in a thread, once: it takes 0.2 s, and anybody may ask for it."""
    async with _building:
        return Response(await asyncio.to_thread(_schema), media_type="application/json")


@cache
def _schema() -> bytes:
    return bytes(JSONResponse(app.openapi()).body)


app.router.routes.insert(0, Route("/openapi.json", _described))  # instead of FastAPI's

for path in ("/{source}/", "/{source}", "/", ""):  # FastAPI's route, which describes it, costs 40 µs more
    app.router.routes.insert(0, Route(f"{WEBHOOKS}/cellosign{path}", webhook.webhook, methods=["POST"]))


@app.exception_handler(Refused)
async def _refused(request: Request, refused: Refused) -> JSONResponse:
    if refused.code in (authorization.UNAUTHORIZED, authorization.ADDRESS_NOT_ALLOWED):
        door = "webhook" if request.url.path.startswith(WEBHOOKS) else "api"
        address = authorization.address_of(request)
        request.app.state.unauthorized.count(address, door, refused.code)
        is_guess = door == "api" and "authorization" in request.headers
        if is_guess and (again_s := request.app.state.unauthorized.guess(address)):
            detail = f"wrong tokens came too often from this address; {refused.detail}"
            answer = _failure(
                request, HTTPStatus.TOO_MANY_REQUESTS, authorization.TOO_MANY_WRONG_TOKENS, detail, refused.where
            )
            answer.headers["retry-after"] = str(again_s)
            return answer
    return _failure(request, refused.status, refused.code, refused.said, refused.where)


app.add_middleware(Gate, refuse=_refused)


@app.exception_handler(Transient)
async def _transient(request: Request, error: Transient) -> JSONResponse:
    return _failure(request, 503, "UNAVAILABLE", error.said)


@app.exception_handler(Conflict)
async def _conflict(request: Request, error: Conflict) -> JSONResponse:
    return _failure(request, 500, "CONFLICT", error.said)


def _methods_at(request: Request) -> set[str]:
    """Return the methods of a path: of the first route that fits, and of the others with the same path."""
    routes = iter_route_contexts(app.routes)
    found = [each for each in routes if each.original_route.matches(request.scope)[0] != Match.NONE]
    return {method for each in found if each.path == found[0].path for method in each.methods or ()}


@app.exception_handler(HTTPException)
async def _http_exception(request: Request, error: HTTPException) -> JSONResponse:
    if error.status_code == HTTPStatus.BAD_REQUEST:  # FastAPI cannot decode the body of a request to the API
        return _failure(request, 422, "BAD_PARAMETER", "expected JSON in UTF-8", "body")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:  # Starlette names those of the first route of the path
        error.headers = {"Allow": ", ".join(sorted(_methods_at(request)))}
    allowed = (error.headers or {}).get("Allow", "GET")
    code, detail = {
        HTTPStatus.NOT_FOUND: ("UNKNOWN_PATH", "no such path; /docs lists the paths"),
        HTTPStatus.METHOD_NOT_ALLOWED: ("WRONG_METHOD", f"expected {allowed}; /docs lists the methods of each path"),
    }.get(HTTPStatus(error.status_code), ("HTTP", str(error.detail)))
    answer = _failure(request, error.status_code, code, detail)
    answer.headers.update(error.headers or {})
    return answer


@app.exception_handler(RequestValidationError)
async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    """Answer with pydantic's messages, in the order of the places. They name the values that are expected."""
    messages = {".".join(map(str, each["loc"])): each["msg"] for each in error.errors()}
    return _failure(request, 422, "BAD_PARAMETER", f"{'; '.join(messages.values())}; see /docs", ", ".join(messages))


@app.exception_handler(Exception)
async def _unexpected(request: Request, _error: Exception) -> JSONResponse:
    """Answer in the documented shape, so that the sender sends again. The server logs the error, and closes."""
    answer = _failure(request, 500, "INTERNAL", "an unexpected error of cellar; its log has the trace")
    answer.headers["connection"] = "close"  # else the next request on the connection is lost
    return answer


def _failure(request: Request, status: int, code: str, told: str | Said, where: str = "") -> JSONResponse:
    """Return a failure, to Cellosign in the shape that Cellosign documents, to all other clients in cellar's own."""
    said = told if isinstance(told, Said) else verbatim(told)
    detail = in_english(said)
    if request.url.path.startswith(WEBHOOKS):
        DELIVERIES.labels(status, code).inc()
        request.app.state.refusing.count(status, code)
        if status in _REFUSED_EACH_TIME:
            REFUSED_DELIVERIES.inc()
        if "source" in request.path_params or status != HTTPStatus.NOT_FOUND:
            source = request.app.state.senders.label(request.path_params.get("source", DEFAULT_SOURCE))
            SOURCE_DELIVERIES.labels(source, _OUTCOMES.get(status, "failed")).inc()
        return webhook.failure(status, f"{code} at {where}: {detail}" if where else f"{code}: {detail}")
    headers = challenge("Bearer") if status == HTTPStatus.UNAUTHORIZED else None
    error = {"code": code, "where": where, "detail": detail, "values": {"detail": said.as_json()}}
    return JSONResponse({"error": error}, status, headers)
