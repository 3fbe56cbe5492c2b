"""`cellar endpoints messages`: lists the messages to endpoints, and shows one with its attempts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer

from cli.results import print_found, print_page, say
from cli.terminal import Csv, Json, Wide, named_options, print_table, time_option, time_text
from models.views.messages import AttemptView, MessageQuery, MessageRecord, MessageView
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
    wide: Wide = False,
    as_csv: Csv = False,
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

    def _print(found: Sequence[MessageView]) -> None:
        print_table(_LISTED, map(_listed, found), wide=wide, as_csv=as_csv)

    print_page(message_list.page(query), _print, nothing="No message matches.", as_json=as_json, as_csv=as_csv)


_LISTED = ("message", "state", "endpoint", "event", "reference", "attempts", "next attempt", "planned")
_ATTEMPTS = ("attempt", "started", "trigger", "status", "failed at", "duration", "next attempt", "by")


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
        print_table(_ATTEMPTS, map(_attempt, found.history))
    for each in found.history:
        if each.error:
            say(f"  attempt {each.number}: {each.error}")


def _listed(found: MessageView) -> list[object]:
    planned, following = _moment(found.planned_at), _moment(found.next_attempt_at)
    about = [found.message_id, found.state, found.endpoint, found.event, found.reference]
    return [*about, found.attempts, following, planned]


def _attempt(made: AttemptView) -> list[object]:
    took = None if made.duration_s is None else f"{made.duration_s:.3f} s"
    started, following = _moment(made.started_at), _moment(made.next_attempt_at)
    return [made.number, started, made.trigger, made.status_code, made.stage, took, following, made.by]


def _moment(moment: datetime | None) -> str | None:
    return time_text(moment, "seconds") if moment else None
