"""`cellar failures`: shows why archives failed, and what waits and heals by itself."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from adapters.tables import conditions
from adapters.tables.runs import waiting
from api.console.words.meanings.causes import CAUSES
from cli.operation.views import FailuresAndWaits, WaitView
from cli.terminal import Json, console, paragraph, print_json, time_text
from domain.people.words import count_text
from domain.runs import heals_by_rerun, waits_text
from models.store.condition import Subject
from models.views.troubles import ConditionGroup, FailureGroup
from services.views import failure_list


def failures(
    *,
    source: Annotated[
        str | None, typer.Option(help="Only failures of this source. Waiting archives are of all.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the archives whose last run failed, by cause, and the archives that wait and are retried automatically."""
    waits = [WaitView.of(each) for each in waiting.summary()]
    items = failure_list.failures(source).items
    found = FailuresAndWaits(items=items, waiting=waits, conditions=conditions.damage())
    if as_json:
        print_json(found)
    else:
        print_failures(console(), found, datetime.now(UTC), source)


def print_failures(terminal: Console, found: FailuresAndWaits, now: datetime, source: str | None = None) -> None:
    of_source = f" --source {source}" if source else ""
    for each in found.items:
        terminal.print(_head(each))
        terminal.print(paragraph(each.sentence))
        to_do = meaning.to_do if (meaning := CAUSES.get(each.code)) else ""
        if to_do:
            terminal.print(paragraph(f"→ {to_do}"))
        if each.condition:
            terminal.print(paragraph("These archives were complete, and may be damaged now: `cellar verify` tells."))
            terminal.print(paragraph(f"cellar list --condition {each.condition}{of_source}"))
            terminal.print()
            continue
        by_cause = "" if each.code == failure_list.NOT_KEPT else f" --cause {each.code}"
        terminal.print(paragraph(f"cellar list --state failed{by_cause}{of_source}"))
        if by_cause and heals_by_rerun(each.code):
            terminal.print(paragraph(f"cellar rerun --failed{by_cause}{of_source}"))
        terminal.print()
    print_conditions(terminal, found.conditions)
    if not found.items and not found.conditions:
        terminal.print(Text("No archive has failed."))
    for wait in found.waiting:
        terminal.print(Text(waits_text(wait.waits_for, wait.archives, wait.since, now)))


def print_conditions(terminal: Console, groups: Iterable[ConditionGroup]) -> None:
    """Print what checks of the store have found, with the command that lists it."""
    for each in groups:
        of, see = count_text(each.subjects, "archive"), f"cellar list --condition {each.code}"
        if each.kind is Subject.STORE:
            of, see = f"{count_text(each.count, 'file')} beside the archives", "cellar verify"
        terminal.print(Text(f"{each.code}: {of}; see `{see}`"))


def _head(group: FailureGroup) -> Text:
    where = (f" in {group.task}" if group.task else "") + (", last run of complete archives" if group.condition else "")
    first, last = map(time_text, (group.first_at, group.last_at))
    between = first if first == last else f"{first} to {last}"
    return Text.assemble((f"{group.code}{where}", "bold"), f": {count_text(group.archives, 'archive')}, {between}")
