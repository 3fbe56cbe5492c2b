"""`cellar endpoints redeliver` and `redeliveries`, with a real endpoint that recovers."""

import asyncio
import json
import os
import pty
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from subprocess import Popen

import pytest
from pytest_httpserver import HTTPServer

from adapters.settings.settings import Settings
from models.messages.event import Event, EventType
from models.views.messages.endpoints import NewEndpoint
from services.messages import endpoints
from services.messages.deliveries import deliver_due, give_up_expired
from services.messages.events import announce
from tests.cli.conftest import Cellar


@pytest.fixture(autouse=True)
def _dead_messages(sqlite_installation: Settings, configure: Callable[..., Settings], httpserver: HTTPServer) -> None:
    """Three dead messages to an endpoint that confirms again."""
    configure(notify_allow_private="true")
    httpserver.expect_request("/erp").respond_with_data("")
    now = datetime.now(UTC)
    endpoints.add(NewEndpoint(url=httpserver.url_for("/erp"), name="erp", rate_per_s=50), "dana@desk", now)
    for number in range(3):
        announce(Event(EventType.STORE_DAMAGED, f"found-{number}", now, b"{}"))
    asyncio.run(give_up_expired(now + timedelta(hours=76)))


def states(cellar: Cellar) -> set[str]:
    return {each["state"] for each in json.loads(cellar("endpoints", "messages", "--json").output)["items"]}


def test_dry_run_shows_the_plan_and_changes_nothing(cellar: Cellar) -> None:
    shown = cellar("endpoints", "redeliver", "erp", "--dry-run")
    plan = json.loads(cellar("endpoints", "redeliver", "erp", "--dry-run", "--json").output)

    assert shown.status == 0
    assert "3 messages would be sent again, each under its own id, and tried for 75 hours." in shown.output
    assert (plan["state"], plan["planned"], plan["plan"]["states"]) == ("planned", 3, {"dead": 3})
    assert states(cellar) == {"dead"}


def test_confirmed_redelivery_is_sent_and_followed(cellar: Cellar, httpserver: HTTPServer) -> None:
    ended = cellar("endpoints", "redeliver", "erp", "--state", "dead", "--event", "store.damaged", "--yes", "--json")
    before = json.loads(ended.output)
    asyncio.run(deliver_due("erp"))

    assert (ended.status, before["state"], before["pending"]) == (0, "running", 3)
    assert len(httpserver.log) == 3
    shown = cellar("endpoints", "redeliveries", before["id"])
    assert "3 of 3 messages delivered." in shown.output
    assert f"confirmed by {before['by']}" in shown.output
    listed = cellar("endpoints", "redeliveries")
    assert (listed.status, before["id"] in listed.output, "done" in listed.output) == (0, True, True)


def test_asks_on_a_terminal_and_no_changes_nothing(cellar: Cellar) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "cli.main", "endpoints", "redeliver"]
    with Popen(command, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        shown = _until(ours, "[y/N]")
        os.write(ours, b"n\n")
        _until(ours, "Nothing was changed.")
    os.close(ours)

    assert "Deliver 3 messages again?" in shown
    assert states(cellar) == {"dead"}


def _until(terminal: int, text: str) -> str:
    shown = ""
    with suppress(OSError):  # Linux reports the end of a terminal so
        while text not in shown and (chunk := os.read(terminal, 4096)):
            shown += chunk.decode()
    assert text in shown, shown
    return shown


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ((), 2, "add --yes"),
        (("--state", "delivered", "--dry-run"), 2, "add --force"),
        (("--state", "lost", "--dry-run"), 2, "--state"),
        (("--since", "soon", "--dry-run"), 2, "expected a time like"),
        (("unknown", "--dry-run"), 2, "no endpoint has this name; known are erp"),
        (("--source", "nosuch", "--dry-run"), 2, "--source: no source has this name"),
        (("--event", "nosuch", "--dry-run"), 2, "--event: expected"),
    ],
)
def test_wrong_use_is_refused(cellar: Cellar, arguments: tuple[str, ...], status: int, told: str) -> None:
    ended = cellar("endpoints", "redeliver", *arguments)

    assert (ended.status, ended.output) == (status, "")
    assert told in " ".join(ended.errors.replace("│", " ").split())


def test_unknown_redelivery_is_an_error(cellar: Cellar) -> None:
    ended = cellar("endpoints", "redeliveries", "unknown")

    assert (ended.status, "UNKNOWN_REDELIVERY" in ended.errors) == (1, True)
