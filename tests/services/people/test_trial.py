"""A test reaches people by chat and mail, and says of each address whether it was taken, without naming it."""

import asyncio
import json
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from adapters.peers.people import masked
from services.people.letters import try_people
from tests.conftest import Configure, wait_until
from tests.installations import closed_url
from tests.peers import hang, listening
from tests.services.people.conftest import Mailbox

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def root_log() -> Iterator[StringIO]:
    """Return what reaches the handlers of a program. `caplog` also hears loggers that are cut off from them."""
    handler = logging.StreamHandler(StringIO())
    logging.getLogger().addHandler(handler)
    yield handler.stream
    logging.getLogger().removeHandler(handler)


def outcomes() -> list[str]:
    return [each.why for each in try_people(NOON).addresses]


def test_chat_and_mail_take_a_test(configure: Configure, httpserver: HTTPServer, mailbox: Mailbox) -> None:
    httpserver.expect_request("/chat").respond_with_data("")
    configure(people_urls=f"{httpserver.url_for('/chat').replace('http', 'json')},{mailbox.url}")

    assert try_people(NOON).is_well

    ((request, _),) = httpserver.log
    assert json.loads(request.data)["title"] == "cellar: a test"
    (letter,) = mailbox.letters
    assert "Subject: cellar: a test" in letter
    assert "cellar reaches you here. Nothing to do." in letter


def test_process_of_a_letter_has_no_secret_of_the_settings(configure: Configure, httpserver: HTTPServer) -> None:
    seen, before = list[bytes](), _children()

    def _look(_request: Request) -> Response:
        seen.extend(Path(f"/proc/{pid}/environ").read_bytes() for pid in _children() - before)
        return Response()

    httpserver.expect_request("/chat").respond_with_handler(_look)
    configure(people_urls=httpserver.url_for("/chat").replace("http", "json"), api_tokens="t" * 32)

    assert try_people(NOON).is_well

    assert any(b"PATH=" in each for each in seen)
    assert not any(b"CELLAR_" in each or b"t" * 32 in each for each in seen)


def _children() -> set[str]:
    """Return the numbers of the processes that this one has started. Services of other tests are among them."""
    found = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return {pid for each in found for pid in each.read_text().split()}


def test_each_address_that_takes_no_test_has_its_reason_and_no_secret_is_told(
    configure: Configure,
    httpserver: HTTPServer,
    mailbox: Mailbox,
    root_log: StringIO,
    capfd: pytest.CaptureFixture[str],
) -> None:
    httpserver.expect_request("/broken").respond_with_data("token-4711 is wrong", status=500)
    mailbox.is_full = True
    urls = [
        httpserver.url_for("/broken").replace("http://", "json://user:password-4711@"),
        f"json://{closed_url().removeprefix('http://')}/token-4711",
        mailbox.url,
        "slick://token-4711/x",
    ]
    configure(people_urls=",".join(urls))

    found = try_people(NOON)

    assert [each.why for each in found.addresses] == [
        "the service answered with status 500",
        "no connection",
        "the service has not taken it",
        "BAD_ADDRESS: apprise does not understand the address; check CELLAR_PEOPLE_URLS",
    ]
    assert [each.address for each in found.addresses] == [masked(url) for url in urls]
    assert [each.address.partition(":")[0] for each in found.addresses] == ["json", "json", "mailto", "slick"]
    shown = f"{found} {root_log.getvalue()} {capfd.readouterr()} {configure()!r}"
    assert [secret for secret in ("4711", "dana") if secret in shown] == []


@pytest.mark.faults  # an address has 20 s
def test_address_that_hangs_is_given_up_and_delays_no_other(configure: Configure, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/chat").respond_with_data("")

    async def _tested() -> list[str]:
        async with listening(hang) as url:
            hanging = url.replace("http", "json")
            configure(people_urls=f"{hanging}?rto=60,{httpserver.url_for('/chat').replace('http', 'json')}")
            trying = asyncio.create_task(asyncio.to_thread(outcomes))
            await asyncio.to_thread(wait_until, lambda: bool(httpserver.log))
            again = await asyncio.to_thread(outcomes)
            return [*(await trying), *again]

    first, second, first_again, second_again = asyncio.run(_tested())

    assert (first, second) == ("the service hangs: no answer within 20 s", "")
    assert (first_again, second_again) == ("an earlier letter to this address still hangs", "")


def test_without_addresses_nobody_is_reached(configure: Configure) -> None:
    configure()

    assert not try_people(NOON).is_well
