"""Prints messages and their attempts."""

from collections.abc import Sequence
from datetime import datetime

from cli.results import say
from cli.terminal import console, table_of, time_text
from models.views.messages.messages import AttemptView, MessageRecord, MessageView

_LISTED = ("message", "endpoint", "event", "state", "attempts", "planned", "next attempt", "reference")
_ATTEMPTS = ("attempt", "started", "trigger", "by", "status", "failed at", "duration", "next attempt")


def print_messages(found: Sequence[MessageView]) -> None:
    """Print a table of messages."""
    console().print(table_of(_LISTED, map(_listed, found)))


def print_message(found: MessageRecord) -> None:
    """Print a message, and its attempts as a table."""
    say(f"{found.message_id}: {found.event} to {found.endpoint} is {found.state}")
    facts = {
        "reference": found.reference,
        "source": found.source,
        "event": found.event_id,
        "planned": _moment(found.planned_at),
        "why": found.skipped_why,
        "next": _moment(found.next_attempt_at),
        "expires": _moment(found.expires_at) if found.next_attempt_at else None,
        "delivered": _moment(found.delivered_at),
    }
    for title, value in facts.items():
        if value:
            say(f"  {title:<10} {value}")
    if found.history:
        console().print(table_of(_ATTEMPTS, map(_attempt, found.history)))
    for each in found.history:
        if each.error:
            say(f"  attempt {each.number}: {each.error}")


def _listed(found: MessageView) -> list[object]:
    planned, following = _moment(found.planned_at), _moment(found.next_attempt_at)
    return [
        found.message_id, found.endpoint, found.event, found.state, found.attempts, planned, following, found.reference
    ]  # fmt: skip


def _attempt(made: AttemptView) -> list[object]:
    took = None if made.duration_s is None else f"{made.duration_s:.3f} s"
    started, following = _moment(made.started_at), _moment(made.next_attempt_at)
    return [made.number, started, made.trigger, made.by, made.status_code, made.stage, took, following]


def _moment(moment: datetime | None) -> str | None:
    return time_text(moment, "seconds") if moment else None
