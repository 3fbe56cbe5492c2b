"""`cellar bulk`: lists, shows, pauses, resumes and aborts bulk re-runs."""

from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from cli.bulk.following import detached, follow
from cli.bulk.pages import print_end, print_record, say
from cli.person import person
from cli.results import print_found, print_page
from cli.terminal import Json, console, named_options, print_json, table_of, time_text
from domain.bulk.plan_text import filter_text
from models.runs.bulk import ItemState
from models.views.bulk import BulkView, ItemQuery
from models.views.parameters import PageQuery
from services.bulk import control, records

app = typer.Typer(help="List, show, pause, resume and abort bulk re-runs.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="The id of a bulk re-run, as `cellar bulk list` shows it.")]
_LISTED = ("id", "state", "created", "by", "archives", "done", "failed", "filter")
_NOTHING = "No bulk re-run was planned. `cellar rerun --failed --dry-run` plans one."


@app.command("list")
def list_bulk_reruns(
    *,
    cursor: Annotated[str | None, typer.Option(help="`next` of the previous page.")] = None,
    limit: Annotated[int, typer.Option(help="Bulk re-runs per page, at most 500.")] = 50,
    as_json: Json = False,
) -> None:
    """List bulk re-runs and plans, newest first."""
    with named_options():
        page = records.page(PageQuery(cursor=cursor, limit=limit))
    print_page(page, _print_list, nothing=_NOTHING, as_json=as_json)


@app.command()
def show(
    bulk_id: Id,
    *,
    following: Annotated[bool, typer.Option("--follow", help="Follow it until it ends. Ctrl-C detaches.")] = False,
    item_state: Annotated[
        ItemState | None, typer.Option("--state", help="State of the archives to list. Default: failed.")
    ] = None,
    after: Annotated[int, typer.Option(min=0, help="`next` of the previous page.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Archives per page.")] = 50,
    as_json: Json = False,
) -> None:
    """Show a bulk re-run: its plan, who did what, and the results of its archives."""
    if following:
        _follow(bulk_id, as_json=as_json)
        return
    chosen = item_state if as_json else item_state or ItemState.FAILED
    found = records.record(bulk_id, ItemQuery(item_state=chosen, after=after, limit=limit))
    if as_json:
        print_json(found)
        return
    print_record(found, found.items)
    if found.next is not None:
        say(f"More: --after {found.next}")


@app.command()
def pause(bulk_id: Id, *, as_json: Json = False) -> None:
    """Pause a bulk re-run: start no further archive until it is resumed. Runs in progress end as usual."""
    _act(control.pause, bulk_id, as_json=as_json)


@app.command()
def resume(bulk_id: Id, *, as_json: Json = False) -> None:
    """Resume a paused bulk re-run."""
    _act(control.resume, bulk_id, as_json=as_json)


@app.command()
def abort(bulk_id: Id, *, as_json: Json = False) -> None:
    """Abort a bulk re-run, or discard a plan. Archives that have not started stay untouched."""
    _act(control.abort, bulk_id, as_json=as_json)


def _act(action: Callable[[str, str], None], bulk_id: str, *, as_json: bool) -> None:
    action(bulk_id, person())
    print_found(records.view(bulk_id), print_end, as_json=as_json)


def _follow(bulk_id: str, *, as_json: bool) -> None:
    found = follow(bulk_id)
    if found is None:
        raise detached(bulk_id)
    print_found(found, print_end, as_json=as_json)
    if found.failed or found.state == "aborted":
        raise typer.Exit(1)


def _print_list(found: Sequence[BulkView]) -> None:
    console().print(table_of(_LISTED, map(_listed, found)))


def _listed(found: BulkView) -> list[object]:
    created = time_text(found.created_at)
    counts = (found.planned, found.done, found.failed)
    return [found.id, found.state, created, found.by, *counts, filter_text(found.filter)]
