"""`cellar status`: shows in one screen whether all systems work, and what waits, runs and has failed."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from adapters.database import facts
from adapters.inbox.inbox import backlog
from adapters.peers import prefect_facts
from adapters.tables import conditions
from adapters.tables.completeness import missing_processes
from adapters.tables.runs import claims, refused, waiting
from cli.operation.checks import count_text, is_wrong, print_checks
from cli.operation.failures import print_conditions
from cli.operation.views import MissingCount, Status, WaitView
from cli.terminal import Json, cell, console, print_json
from domain.completeness.words import left_text
from domain.people import words
from domain.runs import waits_text
from services.health.bounded import answered, checked
from services.health.systems import system_probes
from services.views.failure_list import failures

_WITHIN_S = 10
_QUESTIONS: Mapping[str, Callable[[], Any]] = {
    "archives": facts.archives_by_state,
    "failures": lambda: _of_database(lambda: failures().items),
    "waiting": lambda: _of_database(lambda: [WaitView.of(each) for each in waiting.summary()]),
    "conditions": lambda: _of_database(conditions.groups),
    "refused": lambda: _of_database(refused.open_bodies),
    "missing": lambda: _of_database(_missing),
    "inbox": backlog,
    "workers": prefect_facts.online_workers,
    "runs_in_progress": lambda: _of_database(lambda: len(claims.claimed())),
}


def status(*, as_json: Json = False) -> None:
    """Show whether all systems work, and what is waiting, running or failed. Exits with 1 if something is wrong.

    Failed archives, conditions and missing processes count as wrong, because a person has to act. Archives that wait
    go on by themselves.
    """
    found = _status()
    if as_json:
        print_json(found)
    else:
        print_status(console(), found, datetime.now(UTC))
    if not found.is_well:
        raise typer.Exit(1)


def _status() -> Status:
    probes = system_probes()
    tried = {f"check {each.name}": each.try_out for each in probes}
    answers = answered(dict[str, Callable[[], Any]](tried) | dict(_QUESTIONS), _WITHIN_S)
    checks = [checked(each, answers[f"check {each.name}"]) for each in probes]
    values = {name: answers[name].value for name in _QUESTIONS}
    is_nothing_missing = values["missing"] is not None and values["missing"].processes == 0
    is_well = not is_wrong(checks) and values["failures"] == [] and values["conditions"] == [] and is_nothing_missing
    return Status(version=version("cellosign-cellar"), is_well=is_well, checks=checks, **values)


def _missing() -> MissingCount:
    nearest = missing_processes.nearest_open(1)
    deadline_at = nearest[0].deadline_at if nearest else None
    return MissingCount(processes=sum(missing_processes.open_counts().values()), nearest_deadline_at=deadline_at)


def _of_database(question: Callable[[], Any]) -> Any:
    facts.check_file()
    return question()


def print_status(terminal: Console, found: Status, now: datetime) -> None:
    print_checks(terminal, found.checks)
    terminal.print()
    if found.archives is None or found.runs_in_progress is None:
        terminal.print(Text("archives: not known while the database does not answer"))
    else:
        states = ", ".join(f"{count:,} {state}" for state, count in found.archives.items()) or "none yet"
        terminal.print(Text(f"archives: {states}; {words.count_text(found.runs_in_progress, 'run')} in progress"))
    print_conditions(terminal, found.conditions or [])
    for group in found.failures or []:
        where = f" in {group.task}" if group.task else ""
        what = "last run failed" if group.condition else "failed"
        terminal.print(Text(cell(f"{what}: {group.archives:,} by {group.code}{where}; see `cellar failures`")))
    for wait in found.waiting or []:
        terminal.print(Text(f"waiting: {waits_text(wait.waits_for, wait.archives, wait.since, now)}"))
    if found.refused:
        payloads = words.count_text(found.refused, "payload is", "payloads are")
        terminal.print(Text(f"refused: {payloads} in quarantine; see `cellar quarantine list`"))
    if found.missing and found.missing.nearest_deadline_at:
        left = left_text(found.missing.nearest_deadline_at, now)
        processes = words.count_text(found.missing.processes, "process", "processes")
        terminal.print(Text(f"missing: {processes}, the first with {left}; see `cellar missing list`"))
    terminal.print(Text(f"\ncellar {found.version}: {_verdict(found)}", style="bold"))


def _verdict(found: Status) -> str:
    failed = sum(each.archives for each in found.failures or [] if not each.condition)
    wrong = len(found.conditions or [])
    missing = found.missing.processes if found.missing else 0
    parts = [
        count_text(found.checks),
        f"{words.count_text(failed, 'archive has', 'archives have')} failed" if failed else "",
        f"{words.count_text(wrong, 'condition is', 'conditions are')} open" if wrong else "",
        f"{words.count_text(missing, 'process is', 'processes are')} missing" if missing else "",
    ]
    return ", ".join(filter(None, parts)) or "all is well"
