"""`cellar endpoints messages`: lists the messages to endpoints, and shows one with its attempts."""

from datetime import datetime
from typing import Annotated

import typer

from cli.messages.message_pages import print_message, print_messages
from cli.results import print_found, print_page
from cli.terminal import Json, named_options, time_option
from models.views.messages.messages import MessageQuery
from services.messages.endpoints import endpoints
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
