"""Prints plans and records of bulk re-runs, readable in 100 columns."""

import textwrap
from collections.abc import Sequence

from cli.terminal import cell, console, table_of, time_text
from domain.bulk.plan_text import filter_text, plan_rows, plan_sentences
from models.runs.bulk import ItemState
from models.views.bulk import BulkItemView, BulkView, PlanView

_WIDTH = 100
_HEADS = {
    ItemState.QUEUED: "queued",
    ItemState.STARTED: "on their way",
    ItemState.COMPLETED: "completed",
    ItemState.SKIPPED: "skipped",
    ItemState.FAILED: "failed again",
}


def print_plan(found: BulkView) -> None:
    """Print what a plan would do."""
    say(f"Plan {found.id}: {filter_text(found.filter)}")
    _print_what(found.plan)


def print_record(found: BulkView, items: Sequence[BulkItemView]) -> None:
    """Print the record of a bulk re-run: what was planned, who did what, and what became of the archives."""
    say(f"Bulk re-run {found.id}: {found.state}")
    say(f"Filter: {filter_text(found.filter)}")
    for each in found.actions:
        say(f"{time_text(each.at, 'seconds')}  {each.what} by {each.by}")
    if found.ended_at and found.state == "done":
        say(f"{time_text(found.ended_at, 'seconds')}  done")
    if found.url:
        say(f"Driven by {found.url}")
    if found.state == "planned":
        _print_what(found.plan)
        return
    say(counts_text(found))
    if items:  # all in one state
        rows = [(each.reference, each.cause or each.skipped, each.flow_run_id) for each in items]
        console().print(table_of((_HEADS[ItemState(items[0].state)], "cause", "run"), rows))


def print_end(found: BulkView) -> None:
    """Print how a bulk re-run ended."""
    say(f"Bulk re-run {found.id} is {found.state}: {counts_text(found)}")
    if found.failed:
        say(f"`cellar bulk show {found.id}` names the archives that failed again.")


def counts_text(found: BulkView) -> str:
    counts = {
        "completed": found.completed,
        "skipped, since they no longer needed a run": found.skipped,
        "failed again": found.failed,
        "on their way": found.started,
        "untouched" if found.state == "aborted" else "queued": found.queued,
    }
    parts = [f"{number:,} {what}" for what, number in counts.items() if number]
    return f"{found.planned:,} archives: {', '.join(parts)}." if parts else "no archives."


def say(text: str) -> None:
    """Print a line, wrapped between words. What people copy, like an address, is never cut."""
    lines = textwrap.wrap(cell(text), _WIDTH, break_long_words=False, break_on_hyphens=False)
    console().print("\n  ".join(lines), soft_wrap=True, highlight=False)


def _print_what(plan: PlanView) -> None:
    rows = [(f"{archives:,}", what, which) for what, which, archives in plan_rows(plan)]
    if rows:
        console().print(table_of(("archives", "what", "which"), rows))
    for each in plan.causes:
        if each.sentence:
            say(f"{each.code}: {each.sentence}")
    for sentence in plan_sentences(plan):
        say(sentence)
