"""`cellar bulk`: lists, shows, confirms, follows, pauses, resumes and aborts batches; and what all plans share."""

import asyncio
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from adapters.peers import prefect_api
from cli.options import filters, person
from cli.results import print_found, print_list
from cli.terminal import Csv, Folds, Json, Wide, can_ask, cell, console, print_fitted, print_json, time_text
from domain.batches import WORDS, explained, filter_text
from models.errors import Transient, WrongUse
from models.runs.batch import BatchAction, BatchKind, BatchState, ItemState
from models.views.archives.archives import ArchiveFilter, RerunStarted
from models.views.batch import BatchItemView, BatchView, ItemQuery, RedeliveryFilter
from models.views.parameters import PageQuery
from services.batches import batches
from services.triggering.reruns import begun

app = typer.Typer(
    help="List, show, confirm, pause, resume and abort bulk re-runs, redeliveries and erasures.", no_args_is_help=True
)
Id = Annotated[
    str, typer.Argument(help="The id of a bulk re-run, redelivery or erasure, as `cellar bulk list` shows it.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan and do nothing else.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask. Required without a terminal.")]
_LISTED = ("id", "what", "state", "items", "done", "failed", Folds("filter"), "created", "by")
_NOTHING = "Nothing was planned. `cellar rerun --failed --dry-run` plans a bulk re-run."
_WIDTH = 100
_LOOK_S = 0.5
_AWAY_LOOK_S = 2
_BEGUN_WITHIN_S = 15
INTERRUPTED = 130
_ENDED = (BatchState.DONE, BatchState.ABORTED)
_UNBEGUN = {"Scheduled", "Late", "Pending"}


@app.command("list")
@filters(PageQuery)
def list_batches(query: PageQuery, *, wide: Wide = False, as_csv: Csv = False, as_json: Json = False) -> None:
    """List bulk re-runs, redeliveries and plans, newest first."""
    page = batches.page(query)
    print_list(page, _LISTED, _listed, nothing=_NOTHING, wide=wide, as_csv=as_csv, as_json=as_json)


@app.command()
def show(
    batch_id: Id,
    *,
    following: Annotated[bool, typer.Option("--follow", help="Follow it until it ends. Ctrl-C detaches.")] = False,
    item_state: Annotated[
        ItemState | None, typer.Option("--state", help="State of the archives or messages to list. Default: failed.")
    ] = None,
    after: Annotated[int, typer.Option(min=0, help="`next` of the previous page.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Archives or messages per page.")] = 50,
    as_json: Json = False,
) -> None:
    """Show a bulk re-run or redelivery: its plan, who did what, and the results of its archives or messages."""
    if following:
        follow_to_end(batch_id, as_json=as_json)
        return
    chosen = item_state if as_json else item_state or ItemState.FAILED
    found = batches.record(batch_id, ItemQuery(item_state=chosen, after=after, limit=limit))
    if as_json:
        print_json(found)
        return
    print_record(found, found.items)
    if found.next is not None:
        _say(f"More: --after {found.next}")


@app.command()
def confirm(batch_id: Id, *, yes: Yes = False, as_json: Json = False) -> None:
    """Confirm a plan, such as that of an erasure by another person, and follow it to its end."""
    found = batches.view(batch_id)
    if not as_json:
        print_record(found)
    batches.check_confirmable(batch_id, person())  # before it asks
    if not yes and not typer.confirm(WORDS[found.kind].question.format(f"{found.planned:,}"), err=True):
        console().print("Nothing was changed.")
        return
    asyncio.run(batches.confirm(batch_id, person()))
    follow_to_end(batch_id, as_json=as_json)


@app.command()
def pause(batch_id: Id, *, as_json: Json = False) -> None:
    """Pause a bulk re-run or redelivery: start nothing until it is resumed. What is in progress ends as usual."""
    _act(BatchAction.PAUSE, batch_id, as_json=as_json)


@app.command()
def resume(batch_id: Id, *, as_json: Json = False) -> None:
    """Resume a paused bulk re-run or redelivery."""
    _act(BatchAction.RESUME, batch_id, as_json=as_json)


@app.command()
def abort(batch_id: Id, *, as_json: Json = False) -> None:
    """Abort a bulk re-run or redelivery, or discard a plan. What has not started stays untouched."""
    _act(BatchAction.ABORT, batch_id, as_json=as_json)


def propose(
    kind: BatchKind, chosen: ArchiveFilter | RedeliveryFilter, *, dry_run: bool, yes: bool, as_json: bool
) -> tuple[BatchView, str | None]:
    """Plan a batch, show the plan, ask, and confirm it.

    Returns:
        The plan, and the id of the confirmed batch. None if nothing is done: then all is said.
    """
    if not (dry_run or yes or can_ask()):
        raise WrongUse("no terminal can answer: add --yes to do what is planned, or --dry-run to see the plan")
    plan = batches.view(batches.plan(kind, chosen, person()).id)
    if not as_json:
        _say(f"Plan {plan.id}: {filter_text(plan.filter)}")
        _print_plan(plan)
    if dry_run or not plan.planned:
        if as_json:
            print_json(plan)
        return plan, None
    if not yes and not typer.confirm(WORDS[kind].question.format(f"{plan.planned:,}"), err=True):
        console().print("Nothing was changed.")
        return plan, None
    asyncio.run(batches.confirm(plan.id, person()))
    return plan, plan.id


def follow_to_end(batch_id: str, *, as_json: bool) -> None:
    """Follow a batch to its end. Exits with 1 if items failed or it was aborted, with 130 if a person detached."""
    if not _is_followed(partial(_of_batch, batch_id)):
        typer.echo(f"It goes on. `cellar bulk show {batch_id} --follow` follows it.", err=True)
        typer.echo(f"`cellar bulk pause {batch_id}` and `cellar bulk abort {batch_id}` stop it.", err=True)
        raise typer.Exit(INTERRUPTED)
    found = batches.view(batch_id)
    print_found(found, _print_end, as_json=as_json)
    if found.failed or found.state == "aborted":
        raise typer.Exit(1)


def print_record(found: BatchView, items: Sequence[BatchItemView] = ()) -> None:
    """Print the record of a batch: what was planned, who did what, and what became of the items."""
    _say(f"{WORDS[found.kind].batch.capitalize()} {found.id}: {found.state}")
    _say(f"Filter: {filter_text(found.filter)}")
    for each in found.actions:
        _say(f"{time_text(each.at, 'seconds')}  {each.what} by {each.by}")
    if found.ended_at and found.state == "done":
        _say(f"{time_text(found.ended_at, 'seconds')}  done")
    if found.url:
        _say(f"Driven by {found.url}")
    if found.state == "planned":
        _print_plan(found)
        return
    _say(_counts_text(found))
    if items:  # all in one state
        heads = {**WORDS[found.kind].became, ItemState.QUEUED: "queued", ItemState.SKIPPED: "skipped"}
        rows = [(each.subject, each.cause or each.skipped or each.sentence, each.flow_run_id) for each in items]
        print_fitted(console(), (heads[ItemState(items[0].state)], Folds("cause"), "run"), rows)


def _act(action: BatchAction, batch_id: str, *, as_json: bool) -> None:
    batches.change(action, batch_id, person())
    print_found(batches.view(batch_id), _print_end, as_json=as_json)


def _print_end(found: BatchView) -> None:
    _say(f"{WORDS[found.kind].batch.capitalize()} {found.id} is {found.state}: {_counts_text(found)}")
    if found.failed:
        _say(f"`cellar bulk show {found.id}` names the {WORDS[found.kind].items} that failed.")


def _listed(found: BatchView) -> list[object]:
    about = (found.id, WORDS[found.kind].batch, found.state, found.planned, found.done, found.failed)
    return [*about, filter_text(found.filter), time_text(found.created_at), found.by]


def _counts_text(found: BatchView) -> str:
    words = WORDS[found.kind]
    counts = {
        **{what: getattr(found, state) for state, what in words.became.items()},
        "untouched" if found.state == "aborted" else "queued": found.queued,
    }
    parts = [f"{number:,} {what}" for what, number in counts.items() if number]
    return f"{found.planned:,} {words.items}: {', '.join(parts)}." if parts else f"no {words.items}."


def _print_plan(found: BatchView) -> None:
    words = WORDS[found.kind]
    rows = [(f"{number:,}", what, which) for what, which, number in words.rows(found.plan)]
    if rows:
        print_fitted(console(), (words.items, Folds("what"), Folds("which")), rows)
    for sentence in explained(found.kind, found.plan):
        _say(sentence)


def _say(text: str) -> None:
    """Print a line, wrapped between words. What people copy, like an address, is never cut."""
    lines = textwrap.wrap(cell(text), _WIDTH, break_long_words=False, break_on_hyphens=False)
    console().print("\n  ".join(lines), soft_wrap=True, highlight=False)


@dataclass(frozen=True, slots=True)
class _Stand:
    """How far runs are: how many of them have ended, and a text about the others."""

    total: int
    ended: int
    text: str
    is_over: bool
    is_begun: bool


def follow_runs(asked: list[RerunStarted], since: datetime) -> bool:
    """Wait for the ends of re-runs that were asked for at `since`, and keep their present states in `asked`.

    Returns:
        False if a person detached with Ctrl-C: the runs go on.
    """
    return _is_followed(partial(_of_runs, asked, since))


def _of_batch(batch_id: str) -> _Stand:
    found = batches.view(batch_id)
    text = f"{found.state}: {found.failed} failed, {found.started} on their way"
    is_begun = found.queued != found.planned
    return _Stand(found.planned, found.done + found.failed, text, found.state in _ENDED, is_begun)


def _of_runs(asked: list[RerunStarted], since: datetime) -> _Stand:
    """Look at re-runs. A run that a person has deleted is over."""
    asked[:] = asyncio.run(begun(asked, since))
    known = asyncio.run(prefect_api.known([each.flow_run_id for each in asked if each.flow_run_id]))
    ended = 0
    for each in asked:
        if each.flow_run_id:
            run = known.get(each.flow_run_id)
            each.state = run.state if run else "Deleted"
            ended += run is None or run.ended
    counted = Counter(each.state for each in asked)
    text = ", ".join(f"{number} {state}" for state, number in counted.items())
    return _Stand(len(asked), ended, text, ended == len(asked), not set(counted) <= _UNBEGUN)


def _is_followed(look: Callable[[], _Stand]) -> bool:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            _wait(look, progress, progress.add_task("re-run", total=None))
    except KeyboardInterrupt:
        return False
    return True


def _wait(look: Callable[[], _Stand], progress: Progress, task: TaskID) -> None:
    """Wait for the end. Say once that no worker works, and at each outage what is away."""
    warn_at_s, said = time.monotonic() + _BEGUN_WITHIN_S, ""
    while True:
        try:
            stand = look()
        except Transient as error:
            if str(error) != said:
                said = str(error)
                typer.echo(f"cellar: {error}; trying again", err=True)
            time.sleep(_AWAY_LOOK_S)
            continue
        said = ""
        progress.update(task, total=stand.total, completed=stand.ended, description=stand.text)
        if stand.is_over:
            return
        if not stand.is_begun and time.monotonic() > warn_at_s:
            warn_at_s = float("inf")
            progress.console.print("No worker has begun it yet: does `cellar up` or `cellar worker` run?")
        time.sleep(_LOOK_S)
