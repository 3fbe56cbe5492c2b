"""`cellar status` and `cellar doctor` in 100 columns, literally."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

from rich.console import Console

from adapters.inbox.inbox import Backlog
from cli.operation.checks import count_text, print_checks
from cli.operation.status import print_status
from cli.operation.views import MissingCount, Status, WaitView
from models.errors import System
from models.views.health import Check, Verdict
from models.views.troubles import FailureGroup

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FINE = Check(name="receiver", verdict=Verdict.OK, found="http://127.0.0.1:8000 is ready")
AWAY = Check(
    name="Prefect",
    verdict=Verdict.WRONG,
    found="Prefect at http://127.0.0.1:4200 does not answer: ConnectError",
    to_do="start `cellar up`, or check PREFECT_API_URL; archives wait meanwhile and none is lost",
)
LATE = Check(name="inbox", verdict=Verdict.WARNING, found="12 receipts wait, the oldest for 9 min", to_do="see why")
GROUP = FailureGroup(
    code="CONFLICT", task="load-metadata", sentence="two records", archives=1_200, first_at=NOON, last_at=NOON
)


def lines(print_to: Callable[[Console], None]) -> list[str]:
    terminal = Console(width=100, force_terminal=True, color_system=None, markup=False)
    with terminal.capture() as captured:
        print_to(terminal)
    return [re.sub("\x1b\\[[0-9;]*m", "", line).rstrip() for line in captured.get().splitlines()]


def status(**members: object) -> Status:
    known = {
        "archives": {"completed": 1_000},
        "failures": [],
        "conditions": [],
        "waiting": [],
        "inbox": Backlog(receipts=0, oldest_at=None),
        "missing": MissingCount(processes=0, nearest_deadline_at=None),
    }
    rest = {"version": "1.2", "is_well": True, "checks": [FINE], "workers": ["a"], "runs_in_progress": 1, "refused": 0}
    return Status.model_validate(known | rest | members)


def test_what_to_do_stands_below_what_is_wrong() -> None:
    assert lines(lambda terminal: print_checks(terminal, [FINE, AWAY, LATE])) == [
        "receiver  ok       http://127.0.0.1:8000 is ready",
        "Prefect   wrong    Prefect at http://127.0.0.1:4200 does not answer: ConnectError",
        "                   → start `cellar up`, or check PREFECT_API_URL; archives wait meanwhile and none",
        "                   is lost",
        "inbox     warning  12 receipts wait, the oldest for 9 min",
        "                   → see why",
    ]


def test_checks_are_counted_by_verdict() -> None:
    assert (count_text([FINE]), count_text([AWAY, FINE, LATE])) == ("", "1 check is wrong, 1 check warns")
    assert count_text([AWAY, AWAY, LATE, LATE]) == "2 checks are wrong, 2 checks warn"


def test_status_of_a_well_installation_ends_with_all_is_well() -> None:
    assert lines(lambda terminal: print_status(terminal, status(), NOON))[1:] == [
        "",
        "archives: 1,000 completed; 1 run in progress",
        "",
        "cellar 1.2: all is well",
    ]


def test_status_names_conditions_of_archives_and_of_the_store() -> None:
    shared = {"code": "FILE_EXTRA", "count": 5, "first_at": NOON, "last_at": NOON}
    groups = [shared | {"kind": "archive", "subjects": 2}, shared | {"kind": "store", "subjects": 1}]
    again = GROUP.model_copy(update={"condition": "RUN_FAILED"})
    found = status(conditions=groups, failures=[again])

    assert lines(lambda terminal: print_status(terminal, found, NOON))[-6:] == [
        "archives: 1,000 completed; 1 run in progress",
        "FILE_EXTRA: 2 archives; see `cellar list --condition FILE_EXTRA`",
        "FILE_EXTRA: 5 files beside the archives; see `cellar verify`",
        "last run failed: 1,200 by CONFLICT in load-metadata; see `cellar failures`",
        "",
        "cellar 1.2: 2 conditions are open",
    ]


def test_status_names_failures_waits_and_refusals() -> None:
    waits = [WaitView(waits_for=System.STORE, archives=3, since=NOON.replace(hour=11))]
    found = status(failures=[GROUP], waiting=waits, refused=16, checks=[FINE, AWAY])

    assert lines(lambda terminal: print_status(terminal, found, NOON))[-5:] == [
        "failed: 1,200 by CONFLICT in load-metadata; see `cellar failures`",
        "waiting: 3 archives wait for the store since 2026-01-01 11:00 UTC (60 min); see `cellar doctor`",
        "refused: 16 payloads are in quarantine; see `cellar quarantine list`",
        "",
        "cellar 1.2: 1 check is wrong, 1,200 archives have failed",
    ]


def test_status_says_what_it_does_not_know() -> None:
    found = status(archives=None, failures=None, waiting=None, runs_in_progress=None, refused=None)

    assert "archives: not known while the database does not answer" in lines(
        lambda terminal: print_status(terminal, found, NOON)
    )
