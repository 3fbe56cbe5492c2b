"""`cellar endpoints messages`: lists the messages to endpoints, and shows one with its attempts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer

from cli.results import print_found, print_page, say
from cli.terminal import Json, console, named_options, table_of, time_option, time_text
from models.views.messages.messages import AttemptView, MessageQuery, MessageRecord, MessageView
from services.messages import endpoints
from services.views import message_list

AnyName = Annotated[str | None, typer.Argument(help="The name of an endpoint. Default: all endpoints.")]
States = Annotated[
    list[str] | None, typer.Option("--state", help="pending, delivered, dead or skipped. Repeat for more states.")
]
Event = Annotated[str | None, typer.Option(help="A type of event, like archive.completed.")]
Reference = Annotated[str | None, typer.Option(help="A full process reference.")]
Source = Annotated[str | None, typer.Option(help="The name of a source, or default.")]
Template = Annotated[str | None, typer.Option(help="A template id.")]
Since = Annotated[datetime | None, time_option("The event happened at a time or later")]
Until = Annotated[datetime | None, time_option("The event happened before a time")]


def list_messages(  # noqa: PLR0913 -- an option per filter
    name: AnyName = None,
    *,
    state: States = None,
    event: Event = None,
    reference: Reference = None,
    source: Source = None,
    template: Template = None,
    since: Since = None,
    until: Until = None,
    message_id: Annotated[str | None, typer.Option("--id", help="Show this message with its attempts.")] = None,
    cursor: Annotated[str | None, typer.Option(help="`next` of the previous page.")] = None,
    limit: Annotated[int, typer.Option(help="Messages per page, at most 500.")] = 50,
    as_json: Json = False,
) -> None:
    """List the messages to endpoints, newest first, or show one message with its attempts."""
    if message_id is not None:
        print_found(message_list.record(message_id), print_message, as_json=as_json)
        return
    with named_options():
        query = MessageQuery(
            endpoint=name, state=state or [], event=event, reference=reference, source=source, template=template,
            since=since, until=until, cursor=cursor, limit=limit,
        )  # fmt: skip
    endpoints.check_filter(name)
    print_page(message_list.page(query), print_messages, nothing="No message matches.", as_json=as_json)


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
