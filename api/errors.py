"""The answer of cellar to a failed request, and how the OpenAPI schema describes failures.

The webhook answers in Cellosign's shape instead, `api/receiver/webhook.py`.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

Responses = dict[int | str, dict[str, Any]]
"""Descriptions of answers by HTTP status, as FastAPI takes them."""


class Failure(BaseModel):
    """Why a request failed."""

    code: str = Field(description="Stable, for programs.")
    where: str = Field(description="The parameter, header or member that is wrong. Empty if no part of the request is.")
    detail: str = Field(description="What was expected and what to do next, for people.")
    values: dict[str, Any] = Field(description="What the detail says by code and values, for every language.")


class ErrorAnswer(BaseModel):
    """The answer to a request that failed."""

    error: Failure


def failures(codes_by_status: Mapping[Any, Mapping[str, str]], model: type[BaseModel] = ErrorAnswer) -> Responses:
    """Describe failures: by HTTP status, each code with its meaning."""
    return {
        status: {
            "model": model,
            "description": "\n".join(f"- `{code}`: {meaning}" for code, meaning in codes.items()),
            "headers": _HEADERS.get(status, {}),
        }
        for status, codes in codes_by_status.items()
    }


def challenge(*schemes: str) -> dict[str, str]:
    """Return the header of a 401, which names the ways to present a secret."""
    return {"www-authenticate": ", ".join(f'{scheme} realm="cellar"' for scheme in schemes)}


_HEADERS: Responses = {
    401: {"WWW-Authenticate": {"description": "How to present a secret.", "schema": {"type": "string"}}}
}
UNEXPECTED = {"default": {"INTERNAL": "an unexpected error of cellar, with status 500; its log has the trace."}}
FORBIDDEN = {"FORBIDDEN": "the role of the token may not do this."}
READERS_FAILURES = failures(
    {
        401: {"UNAUTHORIZED": "the API token is missing or wrong, or has expired or was revoked."},
        403: FORBIDDEN,
        422: {"BAD_PARAMETER": "a parameter, or a member of the body, is unknown, missing, repeated or invalid."},
        503: {"UNAVAILABLE": "the database, the store or Prefect does not answer; try again later."},
    }
)
"""The failures of all routes below `/api`: each request is recorded in the database before its answer."""
