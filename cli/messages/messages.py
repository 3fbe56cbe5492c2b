"""Commands of `cellar endpoints` about messages: `messages` with their attempts, `redeliver`."""

from datetime import datetime
from typing import Annotated

import typer

from cli.batches.batches import DryRun, Yes, propose
from cli.options import filters
from cli.results import print_found, print_list, say
from cli.terminal import Csv, Json, Wide, print_json, print_table, time_text
from models.errors import WrongUse
from models.messages.notification import NotificationState
from models.runs.batch import BatchKind
from models.views.batch import RedeliveryFilter
from models.views.messages import AttemptView, MessageQuery, MessageRecord, MessageView
from services.batches import batches
from services.messages import endpoints
from services.views import message_list

AnyName = Annotated[str | None, typer.Argument(help="The name of an endpoint. Default: all endpoints.")]


@filters(MessageQuery, "endpoint", "message_id")
def list_messages(
    query: MessageQuery,
    name: AnyName = None,
    *,
    message_id: Annotated[str | None, typer.Option("--id", help="Show this message with its attempts.")] = None,
    wide: Wide = False,
    as_csv: Csv = False,
    as_json: Json = False,
) -> None:
    """List the messages to endpoints, newest first, or show one message with its attempts."""
    if message_id is not None:
        print_found(message_list.record(message_id), print_message, as_json=as_json)
        return
    endpoints.check_filter(name)
    page, nothing = message_list.page(query.model_copy(update={"endpoint": name})), "No message matches."
    print_list(page, _LISTED, _listed, nothing=nothing, wide=wide, as_csv=as_csv, as_json=as_json)


@filters(RedeliveryFilter, "endpoint", "message_id")
def redeliver(
    query: RedeliveryFilter, name: AnyName = None, *, dry_run: DryRun = False, yes: Yes = False, as_json: Json = False
) -> None:
    """Deliver all matching messages again: show a plan, ask, freeze the list, and make its messages due.

    Without --state, dead and skipped messages match. The flow deliver-messages sends them. Messages to disabled
    endpoints stay as they are.
    """
    if NotificationState.DELIVERED in query.state and not query.force:
        told = "the endpoints have confirmed these messages; add --force to send them again"
        raise WrongUse(f"--state delivered: {told}")
    chosen = query.model_copy(update={"endpoint": name})
    _, batch_id = propose(BatchKind.REDELIVER, chosen, dry_run=dry_run, yes=yes, as_json=as_json)
    if batch_id and as_json:
        print_json(batches.view(batch_id))
    elif batch_id:
        say(f"The messages become due. `cellar bulk show {batch_id}` shows how far they are.")


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
