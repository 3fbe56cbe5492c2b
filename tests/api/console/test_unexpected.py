"""What no page expects: errors of cellar itself, and text that only one of the databases accepts."""

import asyncio
import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.database.migration import migrate
from api.app import app
from api.console.console import application
from models.views.messages import NewEndpoint
from services.messages import endpoints
from tests.api.conftest import LINK_KEY, SECRET, TOKEN, started
from tests.api.console.conftest import PERSON, posted
from tests.installations import installed


def _without_body(served: ASGIApp) -> Any:
    """An application behind a server that fails to read the body of a request."""

    async def _fail() -> Message:
        raise OSError("the body cannot be read")

    async def _served(scope: Scope, _receive: Receive, send: Send) -> None:
        await served(scope, _fail, send)

    return _served


async def _answer(served: ASGIApp, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(_without_body(served), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://cellar") as client:
        seen = await client.get(path)
        return await client.post(path, headers={"cookie": seen.headers.get("set-cookie", "").partition(";")[0]})


def _posted(served: ASGIApp, path: str) -> httpx.Response:
    with ThreadPoolExecutor() as threads:  # the browser of this folder holds this thread's event loop
        return threads.submit(asyncio.run, _answer(served, path)).result()


@pytest.mark.parametrize(("served", "path"), [(application, "/login"), (app, "/oauth/token")])
def test_unexpected_error_says_that_the_connection_ends(served: ASGIApp, path: str) -> None:
    """The server closes it: the next request on it would be lost."""
    answer = _posted(served, path)

    assert (answer.status_code, answer.headers["connection"]) == (500, "close")


def test_page_of_an_unexpected_error_has_the_headers_of_all_pages() -> None:
    answer = _posted(application, "/login")

    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


def test_page_says_that_a_key_is_gone_and_not_that_records_disagree(tmp_path: Path) -> None:
    values = {"webhook_secrets": SECRET, "api_tokens": TOKEN, "link_secret": LINK_KEY}
    with installed(tmp_path, **values):
        migrate()
        endpoints.add(NewEndpoint(url="https://crm.example/hook", name="crm"), PERSON, datetime.now(UTC))
    with (
        installed(tmp_path, **values, seal_keys=base64.b64encode(bytes(64)).decode()),
        started() as receiver,
        receiver.visitor() as person,
    ):
        posted(person, "/console/login", {"name": PERSON, "token": TOKEN})
        answer = posted(person, "/console/endpoints/crm/test", {})

    assert "The key of sealed values is missing, damaged or not in the settings." in answer.text
    assert "<code>KEY_AWAY</code>" in answer.text


def test_path_with_nul_is_unknown_on_postgres_too(tmp_path: Path, postgres_installation: str) -> None:
    values = {"webhook_secrets": SECRET, "api_tokens": TOKEN, "link_secret": LINK_KEY}
    with (
        installed(tmp_path, **values, database_url=postgres_installation),
        started() as receiver,
        receiver.visitor() as person,
    ):
        posted(person, "/console/login", {"name": PERSON, "token": TOKEN})
        kinds = ("bulk", "messages", "endpoints")
        statuses = [person.get(f"/console/{kind}/%00").status_code for kind in kinds]
        dismissed = posted(person, "/console/missing/%00/dismiss", {"why": "it came by mail"})

    assert statuses == [404, 404, 404]
    assert dismissed.status_code == 404
