"""`cellar endpoints redeliver`, `cellar endpoints redeliveries`: delivers messages again, and shows how far that is."""

from typing import Annotated

import typer

from cli.messages.messages import AnyName, Event, Reference, Since, Source, Template, Until
from cli.messages.redelivery_pages import print_plan, print_redeliveries, print_redelivery
from cli.person import person
from cli.results import print_found, print_page, say
from cli.terminal import Json, can_ask, named_options, print_json
from models.errors import WrongUse
from models.messages.notification import NotificationState
from models.views.messages.messages import MessageFilter
from models.views.parameters import PageQuery
from services.redelivery import confirming, planning, records

_NOTHING = "No redelivery was planned. `cellar endpoints redeliver --dry-run` plans one."


def redeliver(  # noqa: PLR0913 -- an option per filter
    name: AnyName = None,
    *,
    state: Annotated[
        list[str] | None,
        typer.Option(help="pending, delivered, dead or skipped. Repeat for more. Default: dead and skipped."),
    ] = None,
    event: Event = None,
    reference: Reference = None,
    source: Source = None,
    template: Template = None,
    since: Since = None,
    until: Until = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --state delivered: send confirmed messages once more.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and send nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask. Required without a terminal.")] = False,
    as_json: Json = False,
) -> None:
    """Deliver all matching messages again: show a plan, ask, freeze the list, and make its messages due.

    The flow deliver-messages sends them. Messages to disabled endpoints stay as they are.
    """
    with named_options():
        chosen = MessageFilter(
            endpoint=name, state=state or [], event=event, reference=reference, source=source, template=template,
            since=since, until=until,
        )  # fmt: skip
    if NotificationState.DELIVERED in chosen.state and not force:
        raise WrongUse("--state delivered: the endpoints have confirmed these messages; add --force to send them again")
    if not (dry_run or yes or can_ask()):
        raise WrongUse("no terminal can answer: add --yes to redeliver, or --dry-run to see the plan")
    plan = records.view(planning.plan(chosen, person(), force=force).id)
    if not as_json:
        print_plan(plan)
    if not (dry_run or not plan.planned):
        if not yes and not typer.confirm(f"Deliver {plan.planned:,} messages again?", err=True):
            say("Nothing was changed.")
            return
        confirming.confirm(plan.id, person())
        if not as_json:
            say(f"The messages are due. `cellar endpoints redeliveries {plan.id}` shows how far they are.")
    if as_json:
        print_json(records.view(plan.id))


def list_redeliveries(
    redelivery_id: Annotated[str | None, typer.Argument(help="Show this redelivery. Default: list all.")] = None,
    *,
    cursor: Annotated[str | None, typer.Option(help="`next` of the previous page.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Redeliveries per page.")] = 50,
    as_json: Json = False,
) -> None:
    """List redeliveries and plans, newest first, or show one: its plan, its author and its progress."""
    if redelivery_id is not None:
        print_found(records.view(redelivery_id), print_redelivery, as_json=as_json)
        return
    page = records.page(PageQuery(cursor=cursor, limit=limit))
    print_page(page, print_redeliveries, nothing=_NOTHING, as_json=as_json)
