"""Prints plans and records of redeliveries."""

from collections.abc import Sequence

from cli.results import say
from cli.terminal import console, table_of, time_text
from domain.bulk.plan_text import filter_text
from domain.messages.redelivery_text import progress_text, redelivery_rows, redelivery_sentences
from models.views.messages.redeliveries import RedeliveryView

_LISTED = ("id", "state", "created", "by", "messages", "delivered", "filter")


def print_plan(found: RedeliveryView) -> None:
    """Print what a plan would send."""
    say(f"Plan {found.id}: {filter_text(found.filter)}")
    rows = [(f"{messages:,}", kind, value) for kind, value, messages in redelivery_rows(found.plan)]
    if rows:
        console().print(table_of(("messages", "what", "which"), rows))
    for sentence in redelivery_sentences(found.plan):
        say(sentence)


def print_redelivery(found: RedeliveryView) -> None:
    """Print a redelivery: its plan, or how far it is."""
    if found.confirmed_at is None:
        print_plan(found)
        return
    say(f"Redelivery {found.id}: {found.state}")
    say(f"Filter: {filter_text(found.filter)}")
    say(f"{time_text(found.created_at, 'seconds')}  planned by {found.by}")
    say(f"{time_text(found.confirmed_at, 'seconds')}  confirmed by {found.confirmed_by}")
    say(f"{progress_text(found)}.")


def print_redeliveries(found: Sequence[RedeliveryView]) -> None:
    """Print a table of redeliveries."""
    console().print(table_of(_LISTED, map(_listed, found)))


def _listed(found: RedeliveryView) -> list[object]:
    counts = (f"{found.planned:,}", f"{found.delivered:,}")
    created = time_text(found.created_at)
    return [found.id, found.state, created, found.by, *counts, filter_text(found.filter)]
