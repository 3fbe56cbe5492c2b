"""`POST /oauth/token`: gives a sender a token of an hour for its source's secret, as Cellosign's OAuth2 secrets ask.

Source: RFC 6749, sections 2.3, 4.3, 4.4 and 5.
"""

import json
import re
from collections import Counter
from typing import Literal
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from api.access import open_to_anybody
from api.authorization import UNAUTHORIZED, Unauthorized, address_of, basic_of
from api.errors import UNEXPECTED, challenge, failures
from api.gate import read_body
from api.receiver.senders import TOKEN_LASTS_S, Senders
from models.errors import Refused, Transient

router = APIRouter(tags=["webhook"])
_MOST_BYTES, _MOST_MEMBERS, _MOST_LEVELS = 16 << 10, 20, 4
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|$)', re.DOTALL)  # to the end, if nothing ends it: linear
_GRANTS = ("password", "client_credentials")


class Token(BaseModel):
    """A token that opens the webhook of its source."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 -- the name of a scheme
    expires_in: int = Field(TOKEN_LASTS_S, description="Seconds. A token ends sooner if its secret does.")


class TokenFailure(BaseModel):
    """A failure in the shape of RFC 6749."""

    error: str
    error_description: str


_MEMBERS = ("grant_type", "client_id", "client_secret", "username", "password", "scope")
_FORM = {"type": "object", "properties": {name: {"type": "string"} for name in _MEMBERS}}
_BODY = {"content": {kind: {"schema": _FORM} for kind in ("application/x-www-form-urlencoded", "application/json")}}
_FAILURES = failures(
    {
        400: {
            "invalid_request": "the body is no form and no JSON, or names no secret.",
            "invalid_grant": "the user name is no source, or the password none of its secrets.",
            "unsupported_grant_type": "`grant_type` is neither `password` nor `client_credentials`.",
        },
        401: {"invalid_client": "the client id is no source, or the client secret none of its secrets."},
        403: {"unauthorized_client": "the source does not take archives from this address."},
        408: {"invalid_request": "the body stops or comes too slowly."},
        413: {"invalid_request": "the body has more than 16 KiB."},
        429: {"invalid_client": "too many wrong secrets from this address; a secret that was right before is let in."},
        503: {"temporarily_unavailable": "the secrets of the sources are not known yet; try again later."},
        **UNEXPECTED,
    },
    TokenFailure,
)


@router.post(
    "/oauth/token",
    summary="Get a token for the webhook",
    response_model=Token,
    response_description="The token.",
    openapi_extra={"requestBody": _BODY},
    responses=_FAILURES,
)
@router.post("/oauth/token/", include_in_schema=False)
@open_to_anybody("a secret of a source is checked by the route itself")
async def give_token(request: Request) -> JSONResponse:
    """Present the name of a source as `client_id` or `username`, and a secret of it as `client_secret` or `password`.

    Both may stand in Basic instead. The URL without a name is the source `default`. Any `scope` is taken, and changes
    nothing. The token is sent to the webhook in `Authorization`, with or without the word Bearer.
    """
    try:
        given = _members(await read_body(request, _MOST_BYTES))
        if given.get("grant_type", _GRANTS[0]) not in _GRANTS:
            return _failed(400, "unsupported_grant_type", f"expected {' or '.join(_GRANTS)}")
        return await _given(request, given)
    except Refused as refused:
        return _failed(refused.status, "invalid_request", refused.detail)
    except Transient as error:
        return _failed(503, "temporarily_unavailable", str(error), {"retry-after": "30"})


async def _given(request: Request, given: dict[str, str]) -> JSONResponse:
    senders: Senders = request.app.state.senders
    as_client = basic_of(request.headers) or (given.get("client_id", ""), given.get("client_secret", ""))
    as_user = given.get("username", ""), given.get("password", "")
    presented = [(source, secret) for source, secret in (as_client, as_user) if secret]
    if not presented:
        return _failed(400, "invalid_request", "expected client_id and client_secret, or username and password")
    unauthorized: Unauthorized = request.app.state.unauthorized
    address, expected = address_of(request), "expected the name of a source and one of its active secrets"
    for source, secret in presented:
        if not unauthorized.may_try(address, secret):
            again = {"retry-after": "60"}
            return _failed(429, "invalid_client", f"wrong secrets came too often from this address; {expected}", again)
        try:
            token = await senders.token(request, source, secret)
        except Refused as refused:
            if refused.code != UNAUTHORIZED:
                return _failed(403, "unauthorized_client", refused.detail)
        else:
            unauthorized.keep_right(address, secret)
            return JSONResponse(Token(access_token=token).model_dump(), headers=_UNKEPT)
    unauthorized.count(address, "oauth")
    if as_client[1]:
        return _failed(401, "invalid_client", expected, challenge("Basic"))
    return _failed(400, "invalid_grant", expected)


def _members(body: bytes) -> dict[str, str]:
    """Read a form or JSON, whatever the request calls it. Members that are no text count as missing."""
    try:
        pairs = _pairs(body.decode())
        found = {name: value for name, value in pairs if isinstance(value, str) and value}
        "".join(found.values()).encode()  # JSON can escape half of a character
    except ValueError:
        raise Refused(
            "BAD_PARAMETER", "expected a form or a JSON object of at most 20 members", where="body", status=400
        ) from None
    if len({name for name, _ in pairs}) < len(pairs):
        raise Refused("BAD_PARAMETER", "expected each member once", where="body", status=400)
    return found


def _pairs(text: str) -> list[tuple[str, object]]:
    """Return the members of a text of anybody, which must be few: the event loop parses it. Raises ValueError."""
    if text.lstrip()[:1] != "{":
        return [*parse_qsl(text, max_num_fields=_MOST_MEMBERS)]
    signs = Counter(_STRING.sub("", text))
    if signs["{"] + signs["["] > _MOST_LEVELS or signs[","] >= _MOST_MEMBERS:
        raise ValueError
    pairs: list[tuple[str, object]] = json.loads(text, object_pairs_hook=list)
    return pairs


_UNKEPT = {"cache-control": "no-store", "pragma": "no-cache"}


def _failed(status: int, error: str, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    content = TokenFailure(error=error, error_description=detail).model_dump()
    return JSONResponse(content, status, _UNKEPT | (headers or {}))
