"""`cellar failures`: literal output, and the command on a database."""

import json
from datetime import UTC, datetime

import pytest
from rich.console import Console

from adapters.tables.runs import receipts, runs
from cli.operation.failures import FailuresAndConditions, print_failures
from models.errors import System
from models.runs.receipt import Cause
from models.said import verbatim
from models.store.condition import DerivedCode, Severity, Subject
from models.views.troubles import ConditionGroup, FailureGroup
from tests.cli.conftest import Cellar
from tests.records import NOON, registered, run_row

SENTENCE = (
    "the store does not take a file: Read-only file system; mount the store so that cellar may write, and run the "
    "archive again with `cellar rerun`"
)
AT = [datetime(2026, 1, 1, 12, minute, tzinfo=UTC) for minute in range(60)]


def printed(found: FailuresAndConditions) -> str:
    terminal = Console(width=100, force_terminal=True, no_color=True, color_system=None)
    with terminal.capture() as shown:
        print_failures(terminal, found, AT[40])
    return shown.get()


def test_each_cause_has_its_count_its_sentence_and_the_commands_that_list_and_re_run_its_archives() -> None:
    group = FailureGroup(
        code="STORE_AWAY",
        task="persist-files",
        sentence=SENTENCE,
        values={},
        archives=97,
        first_at=AT[1],
        last_at=AT[9],
    )
    waits = ConditionGroup(
        code=DerivedCode.SYSTEM_AWAY,
        kind=Subject.SYSTEM,
        key="store",
        severity=Severity.INFO,
        subjects=12,
        count=12,
        first_at=AT[35],
        last_at=AT[35],
    )

    lines = printed(FailuresAndConditions(items=[group], conditions=[waits])).splitlines()

    assert [each.rstrip() for each in lines] == [
        "STORE_AWAY in persist-files: 97 archives, 2026-01-01 12:01Z to 2026-01-01 12:09Z",
        "  the store does not take a file: Read-only file system; mount the store so that cellar may write,",
        "  and run the archive again with `cellar rerun`",
        "  → Check that the disk or bucket of CELLAR_STORE_URL is there, has room and may be written.",
        "  cellar list --state failed --cause STORE_AWAY",
        "  cellar rerun --failed --cause STORE_AWAY",
        "",
        "SYSTEM_AWAY: 12 archives wait for the store since 2026-01-01 12:35 UTC (5 min); see `cellar status`",
    ]


@pytest.mark.parametrize("code", ["BODY_DAMAGED", "BODY_MISSING", "NOT_REPAIRABLE", "NOT_JSON"])
def test_re_run_is_not_offered_where_it_would_meet_the_same_body_again(code: str) -> None:
    found = FailureGroup(code=code, task=None, sentence="", values={}, archives=1, first_at=NOON, last_at=NOON)

    assert "cellar rerun" not in printed(FailuresAndConditions(items=[found], conditions=[]))


def test_without_a_failure_the_command_says_so() -> None:
    assert printed(FailuresAndConditions(items=[], conditions=[])) == "No archive has failed.\n"


@pytest.mark.usefixtures("sqlite_installation")
def test_failures_and_waits_are_json_for_scripts(cellar: Cellar) -> None:
    receipts.set_failed(
        registered("a", "a"), Cause("CONFLICT", "load-metadata", "Conflict", verbatim("two records")), NOON
    )
    waiting = registered("b", "b")
    begun = run_row("run", waiting, reference="b")
    runs.begin(begun)
    runs.wait(
        "run", 1, System.STORE, NOON, Cause("STORE_AWAY", "persist-files", "Transient", verbatim("the store is away"))
    )

    found = json.loads(cellar("failures", "--json").output)

    assert [(each["code"], each["task"], each["archives"]) for each in found["items"]] == [
        ("CONFLICT", "load-metadata", 1)
    ]
    assert [(each["code"], each["key"], each["subjects"]) for each in found["conditions"]] == [
        ("SYSTEM_AWAY", "store", 1)
    ]
    assert "1 archive waits for the store" in cellar("failures").output
