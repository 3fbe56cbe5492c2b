"""`cellar rerun`: runs archives again, singly by their references, or in bulk by a filter."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cli.bulk.following import INTERRUPTED, detached, follow, follow_runs
from cli.bulk.pages import print_end, print_plan
from cli.person import person
from cli.terminal import Json, can_ask, cell, console, named_options, print_json, time_option
from domain.messages.summaries import UNDELIVERED
from models.archive.archive import State
from models.errors import WrongUse
from models.runs.run import RunState
from models.views.archives.archives import ArchiveFilter, RerunStarted
from models.views.bulk import BulkView
from services.bulk import planning, records
from services.triggering import reruns


def rerun(  # noqa: PLR0913 -- an option per filter
    references: Annotated[list[str] | None, typer.Argument(help="Process references.")] = None,
    *,
    failed: Annotated[
        bool, typer.Option("--failed", help="Run all failed archives that match every option below.")
    ] = False,
    since: Annotated[datetime | None, time_option("Arrived after a time")] = None,
    until: Annotated[datetime | None, time_option("Arrived before a time")] = None,
    template: Annotated[str | None, typer.Option(help="A template id.")] = None,
    source: Annotated[str | None, typer.Option(help="The name of a source.")] = None,
    cause: Annotated[str | None, typer.Option(help="Code of the cause of the failure, like STORE_AWAY.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and run nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask. Required without a terminal.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the runs of these references end.")] = False,
    as_json: Json = False,
) -> None:
    """Run archives again: the latest receipt of each REFERENCE, or with --failed all that match.

    --failed shows a plan, asks, freezes the list, and follows it to its end. Ctrl-C detaches; the re-run continues.
    While Prefect is away, a re-run waits and starts when it is back. Exits with 1 if an archive that was followed
    failed again or the bulk re-run was aborted.
    """
    filters: dict[str, Any] = {"template": template, "source": source, "cause": cause}
    filters |= {"received_after": since, "received_before": until}
    _check_use(references, filters, failed=failed, only_bulk=dry_run or yes)
    if references:
        _rerun(references, wait=wait, as_json=as_json)
        return
    with named_options():
        chosen = ArchiveFilter(state=State.FAILED, **filters)
    if not (dry_run or yes or can_ask()):
        raise WrongUse("no terminal can answer: add --yes to run the plan, or --dry-run to see it")
    plan = records.view(planning.plan(chosen, person()).id)
    ends_here = dry_run or not plan.planned
    if not as_json:
        print_plan(plan)
    elif ends_here:
        print_json(plan)
    if not ends_here:
        _run(plan, ask=not yes, as_json=as_json)


def _run(plan: BulkView, *, ask: bool, as_json: bool) -> None:
    if ask and not typer.confirm(f"Run {plan.planned:,} archives again?", err=True):
        console().print("Nothing was changed.")
        return
    asyncio.run(planning.confirm(plan.id, person()))
    found = follow(plan.id)
    if found is None:
        raise detached(plan.id)
    if as_json:
        print_json(found)
    else:
        print_end(found)
    if found.failed or found.state == "aborted":
        raise typer.Exit(1)


def _check_use(references: list[str] | None, filters: Mapping[str, object], *, failed: bool, only_bulk: bool) -> None:
    """Check that either references are named or --failed is set."""
    if bool(references) == failed:
        raise typer.BadParameter("expected either process references, or --failed for all failed archives")
    if references and (only_bulk or any(filters.values())):
        raise typer.BadParameter("filters, --dry-run and --yes belong to --failed; leave them out, or the references")


def _rerun(references: list[str], *, wait: bool, as_json: bool) -> None:
    since = datetime.now(UTC)
    asked = asyncio.run(reruns.rerun(references, person()))
    if wait:
        for each in asked:
            typer.echo(_text(each), err=True)
        if not follow_runs(asked, since):
            typer.echo("The runs go on. `cellar show REF` shows what becomes of them.", err=True)
            raise typer.Exit(INTERRUPTED)
    if as_json:
        typer.echo(json.dumps([each.model_dump() for each in asked]))
    for each in () if as_json else asked:
        typer.echo(_text(each))
    if wait and not {each.state for each in asked} <= {RunState.COMPLETED, UNDELIVERED}:
        typer.echo("`cellar show REF` says why a run did not complete.", err=True)
        raise typer.Exit(1)


def _text(started: RerunStarted) -> str:
    if started.flow_run_id is None:
        return f"{cell(started.reference)}: Prefect does not answer; the run will start when Prefect is back"
    return f"{cell(started.reference)}: run {started.flow_run_id} is {started.state}, {started.url}"
