"""`cellar status` and `cellar people test`: whether all systems work and people are reached, what is wrong, and what to
do about each fault.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

import flows
from adapters.database import facts
from adapters.inbox.inbox import Backlog, backlog
from adapters.peers import prefect_facts
from adapters.tables.open_conditions import open_conditions
from adapters.tables.runs import leases
from cli.operation.failures import print_conditions
from cli.results import print_found, say
from cli.terminal import Folds, Json, cell, console, print_fitted, print_json, print_rows
from domain.people.conditions import alike, count_text
from models.store.condition import Severity
from models.views.health import Check, Grade
from models.views.troubles import ConditionGroup
from services.health.agreement import agreement_probes
from services.health.checks import Probe, answered, checked
from services.health.installation import installation_probes
from services.health.systems import system_probes
from services.people.letters import try_people

people = typer.Typer(help="Test whether alerts reach people.", no_args_is_help=True)
_QUESTIONS: Mapping[str, Callable[[], Any]] = {
    "conditions": open_conditions,
    "archives": facts.archives_by_state,
    "inbox": backlog,
    "workers": prefect_facts.online_workers,
    "runs_in_progress": lambda: len(leases.claimed()),
}
_LACKING = {"last backup": "backup", "witness": "witness", "people": "address that hears of outages"}
_OPEN = "condition is open", "conditions are open"
_STYLES = {Grade.OK: "green", Grade.OFF: "dim", Grade.WARNING: "yellow", Grade.WRONG: "bold red"}


class Status(BaseModel):
    """The state of the installation. What a system that is away would say is null."""

    version: str
    is_well: bool
    checks: list[Check]
    conditions: list[ConditionGroup] | None
    archives: dict[str, int] | None
    inbox: Backlog | None
    workers: list[str] | None
    runs_in_progress: int | None


def status(
    *,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also check settings, files, ports, versions, clocks and deployments.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show whether all systems work, and what is waiting, running or failed. Exits with 1 if something is wrong.

    Failed archives, findings of checks and missing processes count as wrong, because a person has to act. Archives
    that wait go on by themselves.
    """
    probes = system_probes()
    if deep:
        probes += [*installation_probes(), *agreement_probes(prefect_yaml())]
    checks, values = _examined(probes, 20 if deep else 10)
    is_well = values["conditions"] is not None and not (is_wrong(checks) or wrong_ones(values["conditions"]))
    found = Status(version=version("cellosign-cellar"), is_well=is_well, checks=checks, **values)
    print_found(found, lambda each: print_status(console(), each, datetime.now(UTC)), as_json=as_json)
    if not found.is_well:
        raise typer.Exit(1)


@people.command("test")
def send_test(*, as_json: Json = False) -> None:
    """Send a test to each address of CELLAR_PEOPLE_URLS. Exits with 1 if an address fails, or if none is set."""
    found = try_people(datetime.now(UTC))
    if as_json:
        print_json(found)
    elif found.addresses:
        rows = [(each.address, "taken" if each.is_taken else each.why) for each in found.addresses]
        print_fitted(console(), ("address", Folds("test")), rows)
    else:
        say("No address is set: see CELLAR_PEOPLE_URLS.")
    if not found.is_well:
        raise typer.Exit(1)


def prefect_yaml() -> str:
    """Return `prefect.yaml`: in the package when installed from a wheel, else at the project's root."""
    package = Path(flows.__file__).parent
    packaged = package / "prefect.yaml"
    return (packaged if packaged.exists() else package.parent / "prefect.yaml").read_text()


def _examined(probes: Sequence[Probe], within_s: float) -> tuple[list[Check], dict[str, Any]]:
    """Run all probes and ask all questions at once. Return the checks, and the answers by the question's name."""
    tried: dict[str, Callable[[], Any]] = {f"check {each.name}": each.try_out for each in probes}
    answers = answered(tried | dict(_QUESTIONS), within_s)
    return [checked(each, answers[f"check {each.name}"]) for each in probes], {
        name: answers[name].value for name in _QUESTIONS
    }


def print_status(terminal: Console, found: Status, now: datetime) -> None:
    print_checks(terminal, found.checks)
    terminal.print()
    if found.archives is None or found.runs_in_progress is None:
        terminal.print(Text("archives: not known while the database does not answer"))
    else:
        states = ", ".join(f"{count:,} {state}" for state, count in found.archives.items()) or "none yet"
        terminal.print(Text(f"archives: {states}; {count_text(found.runs_in_progress, 'run')} in progress"))
    print_conditions(terminal, found.conditions or [], now)
    terminal.print(Text(f"\ncellar {found.version}: {_verdict(found.checks, found.conditions)}", style="bold"))


def print_checks(terminal: Console, checks: Iterable[Check]) -> None:
    table = Table(
        Column("check", no_wrap=True),
        Column("verdict", no_wrap=True),
        Column("found", overflow="fold"),
        box=None,
        padding=(0, 2, 0, 0),
        pad_edge=False,
        show_header=False,
    )
    for each in checks:
        found = Text(cell(each.found))
        if each.to_do:
            found.append(f"\n→ {cell(each.to_do)}")
        table.add_row(cell(each.name), Text(each.verdict, style=_STYLES[each.verdict]), found)
    print_rows(terminal, table)


def is_wrong(checks: Iterable[Check]) -> bool:
    return any(each.verdict is Grade.WRONG for each in checks)


def wrong_ones(conditions: Iterable[ConditionGroup] | None) -> list[ConditionGroup]:
    return [each for each in conditions or [] if each.severity is Severity.WRONG]


def _verdict(checks: Sequence[Check], conditions: Iterable[ConditionGroup] | None) -> str:
    """Return what is not well, such as `1 check is wrong, 2 checks warn, 1 condition is open, there is no backup`."""
    verdicts = [each.verdict for each in checks]
    counted = (
        (verdicts.count(Grade.WRONG), "check is wrong", "checks are wrong"),
        (verdicts.count(Grade.WARNING), "check warns", "checks warn"),
        (len(alike(each for each in conditions or [] if each.severity is not Severity.INFO)), *_OPEN),
    )
    lacking = ", ".join(_LACKING[each.name] for each in checks if each.verdict is Grade.OFF and each.name in _LACKING)
    found = [count_text(*each) for each in counted if each[0]] + [f"there is no {lacking}"] * bool(lacking)
    return ", ".join(found) or "all is well"
