"""The console as an application of its own under `/console`: its routes, its headers, and its pages of failures."""

from http import HTTPStatus

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from api.console.frame import entrance, static
from api.console.frame.rendering import render, see
from api.console.frame.visits import NO_SUCH_PAGE, SignInFirst, enter
from api.console.pages import (
    access,
    batches,
    endpoints,
    intake,
    overview,
    payments,
    people,
    sources,
    tables,
    templates,
    troubles,
)
from api.console.pages.archives import archives, dossier, files, person, saved_views
from api.gate import with_headers
from domain.words.wording import N_
from models.errors import Conflict, Refused, Transient
from models.said import Said

_POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self';"
    " img-src 'self' data:;"  # Tabler draws the marks of its form controls by data URLs
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    b"content-security-policy": _POLICY.encode(),
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"x-frame-options": b"DENY",
    b"x-robots-tag": b"noindex",
    b"cache-control": b"no-store",
}


console = FastAPI(
    openapi_url=None,
    telemetry={"tracing": False, "metrics": False, "logs": False},  # paths have references
    redirect_slashes=False,
)
_TROUBLES = (troubles, payments, intake, endpoints, sources, batches, templates, tables, access, people)
_ARCHIVES = (archives, saved_views, person, files, dossier)  # the dossier's path takes everything below it
for each in (static, entrance):
    console.include_router(each.router)
for each in (overview, *_TROUBLES, *_ARCHIVES):
    console.include_router(each.router, dependencies=[Depends(enter)])

_WRONG_METHOD = N_("This address takes a form of one of the console's pages.")
_UNEXPECTED = N_("An unexpected error of cellar; its log has the trace.")


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Add the headers that an answer does not have itself: nothing is loaded from elsewhere, runs inline or frames it.
    The page of an unexpected error needs them too, which comes from outside of middleware.
    """
    await console(scope, receive, with_headers(send, _HEADERS))


@console.exception_handler(SignInFirst)
async def _sign_in_first(request: Request, first: SignInFirst) -> Response:
    if request.url.path.endswith(access.PREFECT):  # nginx asks, and leads to the login itself
        return Response(status_code=401)
    return see(first.login_path)


@console.exception_handler(Refused)
async def _refused(request: Request, refused: Refused) -> Response:
    return _failure(request, refused.status, refused.code, refused.said)


@console.exception_handler(Transient)
async def _transient(request: Request, error: Transient) -> Response:
    return _failure(request, 503, "UNAVAILABLE", error.said)


@console.exception_handler(Conflict)
async def _conflict(request: Request, error: Conflict) -> Response:
    return _failure(request, 500, error.code, error.said)


@console.exception_handler(RequestValidationError)
async def _invalid(request: Request, error: RequestValidationError) -> Response:
    """Name the parameters that are wrong, without their values."""
    places = sorted({".".join(map(str, each["loc"])) for each in error.errors()})
    return _failure(request, 422, "BAD_PARAMETER", ", ".join(places))


@console.exception_handler(HTTPException)
async def _http_exception(request: Request, error: HTTPException) -> Response:
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return _failure(request, 405, "WRONG_METHOD", _WRONG_METHOD)
    return _failure(request, error.status_code, "UNKNOWN_PATH", NO_SUCH_PAGE)


@console.exception_handler(Exception)
async def _unexpected(request: Request, _error: Exception) -> Response:
    answer = _failure(request, 500, "INTERNAL", _UNEXPECTED)
    answer.headers["connection"] = "close"  # as `_unexpected` of the API
    return answer


def _failure(request: Request, status: int, code: str, said: str | Said) -> Response:
    detail = said.values["text"] if isinstance(said, Said) and said.code == "text" else said
    return render(request, "failure.html", status, code=code, detail=detail)
