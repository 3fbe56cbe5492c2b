"""`cellar failures`: shows why archives failed, and what waits and heals by itself.

`cellar missing`: lists processes that should have been archived, and dismisses findings.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from adapters.tables.open_conditions import NOT_KEPT, open_conditions
from cli.options import NotKept, filters, person
from cli.results import print_found, print_list
from cli.terminal import Csv, Folds, Json, Wide, cell, console, dismissal, paragraph, time_text
from domain.completeness.missing import left_text, why_text
from domain.people.conditions import alike, condition_text, count_text
from domain.runs import heals_by_rerun
from domain.words.causes import CAUSES
from models.store.condition import OF_CHECKS, DerivedCode
from models.views.troubles import ConditionGroup, FailureGroup, Failures, FindingState, MissingQuery, MissingView
from services.completeness import finding_missing
from services.views import troubles

missing = typer.Typer(help="List processes whose archives are missing, and dismiss findings.", no_args_is_help=True)
_MISSING = ("reference", "left", Folds("why"), "process", "source", "deadline", "transaction", "id")


class FailuresAndConditions(Failures):
    """The failed archives by cause; then what waits and is tried again by itself, and what checks have found."""

    conditions: list[ConditionGroup]


def failures(
    *,
    source: Annotated[
        str | None, typer.Option(help="Only failures of this source. Waiting archives are of all.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the archives whose last run failed, by cause, and the archives that wait and are retried automatically."""
    wrong = open_conditions((*OF_CHECKS, DerivedCode.SYSTEM_AWAY))
    found = FailuresAndConditions(items=troubles.failures(source).items, conditions=wrong)
    print_found(found, lambda each: print_failures(console(), each, datetime.now(UTC), source), as_json=as_json)


def print_failures(terminal: Console, found: FailuresAndConditions, now: datetime, source: str | None = None) -> None:
    of_source = f" --source {source}" if source else ""
    for each in found.items:
        _print_failure(terminal, each, of_source)
        terminal.print()
    print_conditions(terminal, found.conditions, now)
    if not found.items and all(each.code == DerivedCode.SYSTEM_AWAY for each in found.conditions):
        terminal.print(Text("No archive has failed."))


def _print_failure(terminal: Console, group: FailureGroup, of_source: str) -> None:
    terminal.print(_head(group))
    terminal.print(paragraph(group.sentence))
    to_do = meaning.to_do if (meaning := CAUSES.get(group.code)) else ""
    if to_do:
        terminal.print(paragraph(f"→ {to_do}"))
    if group.condition:
        terminal.print(paragraph("These archives were complete, and may be damaged now: `cellar verify` tells."))
        terminal.print(paragraph(f"cellar list --condition {group.condition}{of_source}"))
        return
    by_cause = "" if group.code == NOT_KEPT else f" --cause {group.code}"
    terminal.print(paragraph(f"cellar list --state failed{by_cause}{of_source}"))
    if by_cause and heals_by_rerun(group.code):
        terminal.print(paragraph(f"cellar rerun --failed{by_cause}{of_source}"))


def _head(group: FailureGroup) -> Text:
    where = (f" in {group.task}" if group.task else "") + (", last run of complete archives" if group.condition else "")
    first, last = map(time_text, (group.first_at, group.last_at))
    between = first if first == last else f"{first} to {last}"
    return Text.assemble((f"{group.code}{where}", "bold"), f": {count_text(group.archives, 'archive')}, {between}")


def print_conditions(terminal: Console, groups: Iterable[ConditionGroup], now: datetime) -> None:
    for each in alike(groups).values():
        terminal.print(Text(cell(condition_text(each, now))))


@missing.command("list")
@filters(MissingQuery)
def list_missing(query: MissingQuery, *, wide: Wide = False, as_csv: Csv = False, as_json: Json = False) -> None:
    """List processes whose archives are missing, the nearest deadline first."""
    nothing = "No process is missing." if query.state is FindingState.OPEN else "No finding matches."
    page, row = troubles.missing_page(query), partial(_missing, datetime.now(UTC))
    print_list(page, _MISSING, row, nothing=nothing, wide=wide, as_csv=as_csv, as_json=as_json)


@missing.command()
def dismiss(
    missing_id: Annotated[str, typer.Argument(help="The id of a finding, as `cellar missing list` shows it.")],
    *,
    why: Annotated[str, typer.Option(help="Why the process is not missing, or will not come.")],
    _by: NotKept = None,
    as_json: Json = False,
) -> None:
    """Dismiss a finding. It stays in the history; a later submission of the process opens another finding."""
    found = finding_missing.dismiss(missing_id, dismissal(person(), why), datetime.now(UTC))
    closed = f"{found.missing_id} is dismissed by {found.closed_by}: {found.closed_reason}"
    print_found(found, lambda _: typer.echo(cell(closed)), as_json=as_json)


def _missing(now: datetime, found: MissingView) -> tuple[object, ...]:
    left = found.closed_why or left_text(found.deadline_at, now)
    about = (found.reference, left, why_text(found.why), found.process_number, found.source)
    return *about, time_text(found.deadline_at), found.transaction_number, found.missing_id
