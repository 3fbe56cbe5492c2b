"""`cellar status` in 100 columns, literally."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

from rich.console import Console

from adapters.inbox.inbox import Backlog
from cli.operation.status import Status, print_checks, print_status
from models.store.condition import AnyCode, ConditionCode, DerivedCode, Severity, Subject
from models.views.health import Check, Grade
from models.views.troubles import ConditionGroup

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def check(name: str, verdict: Grade, found: str, to_do: str = "") -> Check:
    return Check(name=name, verdict=verdict, code="text", values={}, found=found, to_do=to_do)


FINE = check("receiver", Grade.OK, "http://127.0.0.1:8000 is ready")
AWAY = check(
    "Prefect",
    Grade.WRONG,
    "Prefect at http://127.0.0.1:4200 does not answer: ConnectError",
    "start `cellar up`, or check PREFECT_API_URL; archives wait meanwhile and none is lost",
)
NONE = check("witness", Grade.OFF, "CELLAR_WITNESS_URL is not set")
LATE = check("inbox", Grade.WARNING, "12 receipts wait, the oldest for 9 min", "see why")


def group(code: AnyCode, kind: Subject, key: str = "", subjects: int = 1, **members: object) -> ConditionGroup:
    known = {"severity": Severity.WRONG, "count": subjects, "first_at": NOON.replace(hour=11), "last_at": NOON}
    return ConditionGroup.model_validate(
        known | {"code": code, "kind": kind, "key": key, "subjects": subjects} | members
    )


def lines(print_to: Callable[[Console], None]) -> list[str]:
    terminal = Console(width=100, force_terminal=True, color_system=None, markup=False)
    with terminal.capture() as captured:
        print_to(terminal)
    return [re.sub("\x1b\\[[0-9;]*m", "", line).rstrip() for line in captured.get().splitlines()]


def status(**members: object) -> Status:
    known = {"archives": {"completed": 1_000}, "conditions": [], "inbox": Backlog(receipts=0, oldest_at=None)}
    rest = {"version": "1.2", "is_well": True, "checks": [FINE], "workers": ["a"], "runs_in_progress": 1}
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


def test_status_of_a_well_installation_ends_with_all_is_well() -> None:
    assert lines(lambda terminal: print_status(terminal, status(), NOON))[1:] == [
        "",
        "archives: 1,000 completed; 1 run in progress",
        "",
        "cellar 1.2: all is well",
    ]


def test_status_names_each_condition_with_the_command_that_shows_more() -> None:
    soon = {"deadline_at": NOON.replace(hour=16), "why": "submitted"}
    found = [
        group(DerivedCode.ARCHIVE_FAILED, Subject.ARCHIVE, "CONFLICT", 1_200, values={"task": "load-metadata"}),
        group(DerivedCode.PROCESS_MISSING, Subject.PROCESS, "hr", 2, values=soon),
        group(DerivedCode.SYSTEM_AWAY, Subject.SYSTEM, "store", 3, severity=Severity.INFO),
        group(DerivedCode.DELIVERY_REFUSED, Subject.DELIVERY, "NOT_JSON", 16, severity=Severity.WARNING),
        group(DerivedCode.ENDPOINT_FAILING, Subject.ENDPOINT, "erp", count=4, severity=Severity.WARNING),
        group(ConditionCode.RUN_FAILED, Subject.ARCHIVE, "CONFLICT", 12, values={"task": None}),
        group(ConditionCode.RUN_FAILED, Subject.ARCHIVE, "FILE_LOST", values={"task": "persist-files"}),
        group(ConditionCode.FILE_EXTRA, Subject.ARCHIVE, subjects=2, count=5),
        group(ConditionCode.FILE_EXTRA, Subject.STORE, count=5),
        group(ConditionCode.TIME_STAMP_ENDS, Subject.SYSTEM, "2026-05-01", severity=Severity.WARNING),
    ]

    shown = lines(
        lambda terminal: print_status(terminal, status(conditions=found, checks=[FINE, AWAY, LATE, NONE]), NOON)
    )
    assert shown[-11:] == [
        "ARCHIVE_FAILED: 1,200 archives, CONFLICT in load-metadata; see `cellar failures`",
        "PROCESS_MISSING: 2 processes, hr, submitted, the first with 4 hours left; see `cellar missing list`",
        "SYSTEM_AWAY: 3 archives wait for the store since 2026-01-01 11:00 UTC (60 min); see `cellar status`",
        "DELIVERY_REFUSED: 16 bodies, NOT_JSON; see `cellar quarantine list`",
        "ENDPOINT_FAILING: 1 endpoint, erp, 4 messages wait; see `cellar endpoints show erp`",
        "RUN_FAILED: 13 archives: 12 CONFLICT; 1 FILE_LOST in persist-files; see `cellar failures`",
        "FILE_EXTRA: 2 archives; see `cellar list --condition FILE_EXTRA`",
        "FILE_EXTRA: 5 files beside the archives; see `cellar verify`",
        "TIME_STAMP_ENDS: 2026-05-01. The certificates of the newest time stamps end within a year.",
        "",
        "cellar 1.2: 1 check is wrong, 1 check warns, 8 conditions are open, there is no witness",
    ]


def test_status_says_what_it_does_not_know() -> None:
    found = status(archives=None, conditions=None, runs_in_progress=None)

    assert "archives: not known while the database does not answer" in lines(
        lambda terminal: print_status(terminal, found, NOON)
    )
