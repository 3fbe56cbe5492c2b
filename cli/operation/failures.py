"""`cellar failures`: shows why archives failed, and what waits and heals by itself.

`cellar missing`: lists processes that should have been archived, and dismisses findings.
"""

from collections.abc import Iterable, Mapping, Sequence
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
from domain.people.letters import count_text
from domain.runs import heals_by_rerun, waits_text
from domain.words.catalogue import MEANINGS
from domain.words.causes import CAUSES
from models.store.condition import OF_CHECKS, OF_COMPARISONS, ConditionCode, DerivedCode, Subject
from models.views.troubles import ConditionGroup, FailureGroup, Failures, FindingState, MissingQuery, MissingView
from services.completeness import finding_missing
from services.views import troubles

missing = typer.Typer(help="List processes whose archives are missing, and dismiss findings.", no_args_is_help=True)
_MISSING = ("reference", "left", Folds("why"), "process", "source", "deadline", "transaction", "id")
_NOUNS: Mapping[Subject, tuple[str, str]] = {
    Subject.ARCHIVE: ("archive", ""),
    Subject.SYSTEM: ("run", ""),
    Subject.DELIVERY: ("body", "bodies"),
    Subject.PROCESS: ("process", "processes"),
    Subject.DISCREPANCY: ("discrepancy", "discrepancies"),
    Subject.ENDPOINT: ("endpoint", ""),
    Subject.MESSAGE: ("message", ""),
    Subject.TEMPLATE: ("change", ""),
}
_SHOWN_BY: Mapping[str, str] = {
    DerivedCode.ARCHIVE_FAILED: "cellar failures",
    ConditionCode.RUN_FAILED: "cellar failures",
    DerivedCode.DELIVERY_REFUSED: "cellar quarantine list",
    DerivedCode.DISCREPANCY_OPEN: "cellar discrepancies list",
    DerivedCode.PROCESS_MISSING: "cellar missing list",
    **dict.fromkeys((DerivedCode.ENDPOINT_FAILING, DerivedCode.ENDPOINT_DISABLED), "cellar endpoints show {key}"),
    DerivedCode.MESSAGES_DEAD: "cellar endpoints messages {key}",
    **dict.fromkeys((DerivedCode.FIELD_VANISHED, DerivedCode.TEMPLATE_DRIFTED), "cellar templates show {key}"),
    DerivedCode.RETENTION_DUE: "cellar list --due {key}",
}


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
    for each in alike(groups):
        terminal.print(Text(cell(condition_text(each, now))))


def alike(groups: Iterable[ConditionGroup]) -> list[list[ConditionGroup]]:
    """Return conditions by code and kind, for a line each. Each system that is away has a line of its own. Pure."""
    found: dict[object, list[ConditionGroup]] = {}
    for each in groups:
        found.setdefault((each.code, each.kind, each.code == DerivedCode.SYSTEM_AWAY and each.key), []).append(each)
    return list(found.values())


def condition_text(groups: Sequence[ConditionGroup], now: datetime) -> str:
    """Return a line such as `FILE_EXTRA: 2 archives; see …` of conditions that are alike. Pure."""
    group = groups[0]
    if group.code == DerivedCode.SYSTEM_AWAY and group.first_at:
        return f"{group.code}: {waits_text(group.key, group.subjects, group.first_at, now)}"
    if group.code == ConditionCode.TIME_STAMP_ENDS:
        return f"{group.code}: {group.key}. {MEANINGS[group.code].what}"
    if group.kind is Subject.STORE and group.code in OF_COMPARISONS:
        return f"{group.code}: {MEANINGS[group.code].what}"
    if group.kind is Subject.STORE:
        return f"{group.code}: {count_text(group.count, 'file')} beside the archives; see `cellar verify`"
    counted = count_text(sum(each.subjects for each in groups), *_NOUNS[group.kind])
    if groups[1:]:
        counted += f": {'; '.join(f'{each.subjects:,} {_about(each, now)}' for each in groups)}"
    elif about := _about(group, now):
        counted += f", {about}"
    by_default = "cellar list --condition {code}" if group.kind is Subject.ARCHIVE else "cellar doctor"
    shown_by = _SHOWN_BY.get(group.code, by_default).format(code=group.code, key="NAME" if groups[1:] else group.key)
    return f"{group.code}: {counted}; see `{shown_by}`"


def _about(group: ConditionGroup, now: datetime) -> str:
    parts = [f"{group.key} in {task}" if (task := group.values.get("task")) else group.key]
    parts.append(group.values.get("why") or "")
    if deadline_at := group.values.get("deadline_at"):
        parts.append(f"the first with {left_text(deadline_at, now)}")
    if group.code == DerivedCode.ENDPOINT_FAILING:
        parts.append(count_text(group.count, "message waits", "messages wait"))
    return ", ".join(filter(None, parts))


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
