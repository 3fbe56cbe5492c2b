"""`cellar endpoints redeliver`, `cellar endpoints redeliveries`: delivers messages again, and shows how far that is."""

from typing import Annotated

import typer

from cli.batches.batches import DryRun, Yes, print_list, print_record, propose
from cli.messages.messages import AnyName, Event, Reference, Since, Source, Template, Until
from cli.results import print_found, say
from cli.terminal import Csv, Json, Wide, print_json
from models.errors import WrongUse
from models.messages.notification import NotificationState
from models.runs.batch import BatchKind
from models.views.batch import RedeliveryFilter
from services.batches import batches

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
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Deliver all matching messages again: show a plan, ask, freeze the list, and make its messages due.

    The flow deliver-messages sends them. Messages to disabled endpoints stay as they are.
    """

    def _chosen() -> RedeliveryFilter:
        found = RedeliveryFilter(
            endpoint=name, state=state or [], event=event, reference=reference, source=source, template=template,
            since=since, until=until, force=force,
        )  # fmt: skip
        if NotificationState.DELIVERED in found.state and not force:
            told = "the endpoints have confirmed these messages; add --force to send them again"
            raise WrongUse(f"--state delivered: {told}")
        return found

    batch_id = propose(BatchKind.REDELIVER, _chosen, dry_run=dry_run, yes=yes, as_json=as_json)
    if batch_id and as_json:
        print_json(batches.view(batch_id))
    elif batch_id:
        say(f"The messages become due. `cellar endpoints redeliveries {batch_id}` shows how far they are.")


def list_redeliveries(
    redelivery_id: Annotated[str | None, typer.Argument(help="Show this redelivery. Default: list all.")] = None,
    *,
    cursor: Annotated[str | None, typer.Option(help="`next` of the previous page.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Redeliveries per page.")] = 50,
    wide: Wide = False,
    as_csv: Csv = False,
    as_json: Json = False,
) -> None:
    """List redeliveries and plans, newest first, or show one: its plan, its author and its progress."""
    if redelivery_id is not None:
        print_found(batches.view(redelivery_id), print_record, as_json=as_json)
    else:
        print_list(BatchKind.REDELIVER, cursor, limit, nothing=_NOTHING, wide=wide, as_csv=as_csv, as_json=as_json)
