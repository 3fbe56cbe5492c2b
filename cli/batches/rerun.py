"""`cellar rerun`: runs archives again, singly by their references, or in bulk by a filter."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cli.batches.batches import INTERRUPTED, DryRun, Yes, follow_runs, follow_to_end, propose
from cli.options import person
from cli.terminal import Json, cell, named_options, time_option
from domain.messages.summaries import UNDELIVERED
from models.archive.archive import State
from models.runs.batch import BatchKind
from models.runs.receipt import RunState
from models.views.archives.archives import ArchiveFilter, RerunStarted
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
    dry_run: DryRun = False,
    yes: Yes = False,
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
    if bool(references) == failed:
        raise typer.BadParameter("expected either process references, or --failed for all failed archives")
    if references and (dry_run or yes or any(filters.values())):
        raise typer.BadParameter("filters, --dry-run and --yes belong to --failed; leave them out, or the references")
    if references:
        _rerun(references, wait=wait, as_json=as_json)
        return
    with named_options():
        chosen = ArchiveFilter(state=State.FAILED, **filters)
    _, batch_id = propose(BatchKind.RERUN, chosen, dry_run=dry_run, yes=yes, as_json=as_json)
    if batch_id:
        follow_to_end(batch_id, as_json=as_json)


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
