"""What no page expects: errors of cellar itself, text that only one of the databases accepts, and threads.

Actions of people take no thread in which the receiver registers deliveries, and leave exports their own.
"""

import asyncio
import base64
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import Request, Response
from sqlmodel import select
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.database.migration import migrate
from api.app import app
from api.console.console import application
from api.console.frame.threads import in_thread, in_thread_of_exports
from api.console.frame.uploads import Upload
from api.console.frame.visits import Form
from api.console.pages.intake import take_reports
from cli.options import shell
from models.settlements.settlement import SettlementReportRow
from models.views.messages import NewEndpoint
from services.messages import endpoints
from tests.api.conftest import LINK_KEY, SECRET, TOKEN, started
from tests.api.console.conftest import PERSON, posted
from tests.conftest import LONGEST_S, Configure
from tests.installations import installed
from tests.records import all_of
from tests.settlements import COLUMNS, line, report

VALUES = {"webhook_secrets": SECRET, "api_tokens": TOKEN, "link_secret": LINK_KEY}


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


@pytest.mark.parametrize(("served", "path"), [(application, "/login"), (app, "/oauth/token")])
def test_unexpected_error_says_that_the_connection_ends_on_a_page_with_the_headers_of_all(
    served: ASGIApp, path: str
) -> None:
    """The server closes it: the next request on it would be lost."""
    with ThreadPoolExecutor() as threads:  # the browser of this folder holds this thread's event loop
        answer = threads.submit(asyncio.run, _answer(served, path)).result()

    assert (answer.status_code, answer.headers["connection"]) == (500, "close")
    if served is application:
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"


def test_page_says_that_a_key_is_gone_and_not_that_records_disagree(tmp_path: Path) -> None:
    with installed(tmp_path, **VALUES):
        migrate()
        endpoints.add(NewEndpoint(url="https://crm.example/hook", name="crm"), PERSON, datetime.now(UTC))
    with (
        installed(tmp_path, **VALUES, seal_keys=base64.b64encode(bytes(64)).decode()),
        started() as receiver,
        receiver.visitor() as person,
    ):
        posted(person, "/console/login", {"name": PERSON, "token": TOKEN})
        answer = posted(person, "/console/endpoints/crm/test", {})

    assert "The key of sealed values is missing, damaged or not in the settings." in answer.text
    assert "<code>KEY_AWAY</code>" in answer.text


def test_path_with_nul_is_unknown_on_postgres_too(tmp_path: Path, postgres_installation: str) -> None:
    with (
        installed(tmp_path, **VALUES, database_url=postgres_installation),
        started() as receiver,
        receiver.visitor() as person,
    ):
        posted(person, "/console/login", {"name": PERSON, "token": TOKEN})
        kinds = ("bulk", "messages", "endpoints")
        statuses = [person.get(f"/console/{kind}/%00").status_code for kind in kinds]
        dismissed = posted(person, "/console/missing/%00/dismiss", {"why": "it came by mail"})

    assert statuses == [404, 404, 404]
    assert dismissed.status_code == 404


async def _registered_beside(work: Callable[[Callable[[], bool]], Awaitable[bool]], actions: int) -> str:
    """Return what a thread of asyncio returns while more actions than there are threads wait."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
    goes_on = threading.Event()
    waiting = [asyncio.ensure_future(work(goes_on.wait)) for _ in range(actions)]
    try:
        return await asyncio.wait_for(asyncio.to_thread(lambda: "registered"), LONGEST_S)
    finally:
        goes_on.set()
        await asyncio.gather(*waiting)


@pytest.mark.parametrize("work", [in_thread, in_thread_of_exports])
def test_deliveries_are_registered_while_people_act(work: Callable[..., Any]) -> None:
    with ThreadPoolExecutor() as threads:  # the browser of this folder holds this thread's event loop
        assert threads.submit(asyncio.run, _registered_beside(work, 8)).result() == "registered"


async def _acted_beside_exports() -> bool:
    goes_on = threading.Event()
    exports = [asyncio.ensure_future(in_thread_of_exports(goes_on.wait)) for _ in range(8)]
    try:
        return await asyncio.wait_for(in_thread(lambda: True), LONGEST_S)
    finally:
        goes_on.set()
        await asyncio.gather(*exports)


def test_people_act_while_archives_are_exported() -> None:
    with ThreadPoolExecutor() as threads:
        assert threads.submit(asyncio.run, _acted_beside_exports()).result()


async def _taken_behind_exports() -> Response:
    goes_on, shown = threading.Event(), Upload(Form((("shown", "x"),)), (report(line("c1")),), "x")
    exports = [asyncio.ensure_future(in_thread_of_exports(goes_on.wait)) for _ in range(8)]
    asyncio.get_running_loop().call_later(3, goes_on.set)
    try:
        return await take_reports(Request({"type": "http"}), shown, shell())
    finally:
        goes_on.set()
        await asyncio.gather(*exports)


@pytest.mark.usefixtures("sqlite_installation")
def test_reports_are_on_stable_storage_when_their_form_is_answered(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "columns.toml").write_text(COLUMNS)
    configure(settlement_columns=tmp_path / "columns.toml")
    with ThreadPoolExecutor() as threads:
        assert threads.submit(asyncio.run, _taken_behind_exports()).result().status_code == 303
    assert all_of(select(SettlementReportRow))
