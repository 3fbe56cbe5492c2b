"""`cellar rerun --failed`, `cellar endpoints redeliver` and `cellar bulk`. Prefect does not answer."""

import asyncio
import json
import os
import pty
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from subprocess import Popen
from typing import Any

import pytest

from models.archive.archive import State
from models.messages.notification import Event, EventType
from models.views.messages import NewEndpoint
from services.messages import endpoints
from services.messages.deliveries import give_up_expired
from services.messages.events import announce
from tests.batches import driven, fill, filled
from tests.cli.conftest import Cellar
from tests.conftest import make_tables
from tests.installations import installed

RERUN, REDELIVER = ("rerun", "--failed"), ("endpoints", "redeliver", "erp")
pytestmark = pytest.mark.usefixtures("failures")


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Three failed archives of two causes and two templates, a complete archive, and three dead messages."""
    with installed(tmp_path_factory.mktemp("failures"), COLUMNS=100, CELLAR_NOTIFY_ALLOW_PRIVATE="true"):
        make_tables()
        fill([filled(1), filled(2), filled(3, State.COMPLETED)])
        fill([filled(4, cause="RUN_TIMEOUT")], template="permit")
        now = datetime.now(UTC)
        endpoints.add(NewEndpoint(url="http://127.0.0.1:9/erp", name="erp"), "dana@desk", now)
        for number in range(3):
            announce(Event(EventType.STORE_DAMAGED, f"found-{number}", now, b"{}"))
        asyncio.run(give_up_expired(now + timedelta(hours=76)))
        yield


def planned(cellar: Cellar, *command: str) -> Any:
    ended = cellar(*command, "--dry-run", "--json")
    assert (ended.status, ended.errors) == (0, "")
    return json.loads(ended.output)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (RERUN, ("Archives that would be run again", "STORE_AWAY in persist-files", "permit", "an unknown time")),
        (REDELIVER, ("each under its own id, and tried for 75 hours: 3.", "dead")),
    ],
)
def test_dry_run_prints_the_plan_in_a_hundred_columns_and_does_nothing(
    cellar: Cellar, command: tuple[str, ...], told: tuple[str, ...]
) -> None:
    ended = cellar(*command, "--dry-run")

    assert ended.status == 0
    assert max(map(len, ended.output.splitlines())) <= 100
    assert [each for each in told if each not in ended.output] == []
    archives, messages = cellar("list", "--json").output, cellar("endpoints", "messages", "--json").output
    assert {each["state"] for each in json.loads(archives)["items"]} == {"failed", "completed"}
    assert {each["state"] for each in json.loads(messages)["items"]} == {"dead"}


def test_filters_choose_the_archives(cellar: Cellar) -> None:
    for options, count in (
        (("--cause", "RUN_TIMEOUT"), 1),
        (("--template", "lease"), 2),
        (("--since", "2026-01-01T00:00Z"), 3),
        (("--until", "2026-01-01T00:00Z"), 0),
    ):
        assert planned(cellar, *RERUN, *options)["planned"] == count
    ended = cellar(*RERUN, "--yes", "--cause", "KEY_AWAY")
    assert (ended.status, "No archive would be run again." in ended.output) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (RERUN, "add --yes"),
        ((*RERUN, "--cause", "NOPE"), "--cause: expected BAD_REFERENCE,"),
        ((*RERUN, "--source", "nosuch", "--dry-run"), "--source: no source has this name; known are default"),
        (("rerun", "filled-000001", "--failed"), "expected either process references, or --failed"),
        (("rerun", "filled-000001", "--cause", "X"), "belong to --failed"),
        ((*REDELIVER, "--state", "delivered", "--dry-run"), "add --force"),
        ((*REDELIVER, "--since", "soon", "--dry-run"), "expected a time like"),
        (("endpoints", "redeliver", "unknown", "--dry-run"), "no endpoint has this name; known are erp"),
        ((*REDELIVER, "--source", "nosuch", "--dry-run"), "--source: no source has this name"),
        ((*REDELIVER, "--event", "nosuch", "--dry-run"), "--event: expected"),
    ],
)
def test_wrong_use_is_refused(cellar: Cellar, arguments: tuple[str, ...], told: str) -> None:
    ended = cellar(*arguments)

    assert (ended.status, ended.output) == (2, "")
    assert told in " ".join(re.sub(r"[│\s]+", " ", ended.errors).split())


def test_asks_on_a_terminal_and_no_changes_nothing(cellar: Cellar) -> None:
    ours, theirs = pty.openpty()
    with Popen([sys.executable, "-m", "cli.main", *REDELIVER], stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        shown = _until(ours, "[y/N]")
        os.write(ours, b"n\n")
        shown += _until(ours, "Nothing was changed.")
    os.close(ours)

    assert "Deliver 3 messages again?" in shown
    assert json.loads(cellar("bulk", "list", "--json").output)["items"][0]["state"] == "planned"


def _until(terminal: int, text: str) -> str:
    shown = ""
    with suppress(OSError):  # Linux reports the end of a terminal so
        while text not in shown and (chunk := os.read(terminal, 4096)):
            shown += chunk.decode()
    assert text in shown, shown
    return shown


@pytest.mark.parametrize("command", [RERUN, REDELIVER])
def test_plan_is_listed_shown_and_discarded_and_cannot_be_paused(cellar: Cellar, command: tuple[str, ...]) -> None:
    batch_id = planned(cellar, *command)["id"]

    assert batch_id in cellar("bulk", "list").output
    shown = cellar("bulk", "show", batch_id).output
    assert max(map(len, shown.splitlines())) <= 100
    assert re.search("(Archives|Messages) that would be .*: 3[.]", " ".join(shown.split()))
    paused = cellar("bulk", "pause", batch_id)
    assert paused.status == 1
    assert "expected a batch that is running; this batch is planned" in paused.errors
    assert cellar("bulk", "abort", batch_id).status == 0
    record = json.loads(cellar("bulk", "show", batch_id, "--json").output)
    assert (record["state"], record["items"]) == ("aborted", [])
    assert [each["what"] for each in record["actions"]] == ["planned", "aborted"]
    for action in ("show", "abort"):
        unknown = cellar("bulk", action, "nothing")
        assert (unknown.status, "UNKNOWN_BATCH" in unknown.errors) == (1, True)


def test_confirmed_redelivery_is_followed(cellar: Cellar) -> None:
    """The last test: its messages are dead no longer."""
    ended = cellar(*REDELIVER, "--state", "dead", "--event", "store.damaged", "--yes", "--json")
    before = json.loads(ended.output)
    assert (ended.status, before["state"], before["queued"]) == (0, "running", 3)
    driven(before["id"])

    shown = cellar("bulk", "show", before["id"]).output
    assert "3 messages: 3 pending." in shown
    assert f"confirmed by {before['by']}" in shown
    listed = cellar("bulk", "list").output
    assert (before["id"] in listed, "running" in listed) == (True, True)


def test_erasure_waits_for_another_person_and_a_single_person_confirms_where_that_suffices(
    cellar: Cellar, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = cellar("erase", "filled-000003")
    assert (lacking.status, "reason" in lacking.errors) == (2, True)
    ended = cellar("erase", "filled-000003", "--reason", "asked for", "--yes")
    assert ended.status == 0
    assert "Archives that would be erased for good: 1" in ended.output
    assert "Another person must confirm this plan." in ended.output
    (plan,) = (each for each in json.loads(cellar("bulk", "list", "--json").output)["items"] if each["kind"] == "erase")
    for options in ((), ("--yes",)):  # it asks nothing of whom it refuses
        refused = cellar("bulk", "confirm", plan["id"], *options)
        assert (refused.status, "another person" in refused.errors, "?" in refused.errors) == (1, True, False)
    assert cellar("bulk", "abort", plan["id"]).status == 0
