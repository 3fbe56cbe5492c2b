"""`/api/bulk-reruns` and `/api/redeliveries`: plan, confirm, pause, resume, abort and show batches of either kind."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query

from api.errors import failures
from api.json.parameters import By, named
from models.runs.batch import BatchKind
from models.views.batch import BatchPage, BatchRecord, BatchView, ItemQuery, RedeliveryRequest, RerunRequest
from models.views.parameters import PageQuery, Text
from services.batches import batches

router = APIRouter()
_RERUNS, _REDELIVERIES = "/api/bulk-reruns", "/api/redeliveries"
_TAGS: dict[str, Any] = {_RERUNS: ["bulk re-runs"], _REDELIVERIES: ["redeliveries"]}
_PLANNED = "The plan, or the batch that was started."
Route = TypeVar("Route", bound=Callable[..., Any])


def _of_both(
    method: str, path: str, *, summary: str, answer: str, wrong_state: str | None = None
) -> Callable[[Route], Route]:
    """Add a route for batches of each kind."""
    conflict = {409: {"WRONG_STATE": wrong_state}} if wrong_state else {}
    responses = failures({404: {"UNKNOWN_BATCH": "no batch has this id."}} | conflict)

    def _add(route: Route) -> Route:
        for prefix, tags in _TAGS.items():
            router.add_api_route(
                f"{prefix}/{{batch_id}}{path}",
                route,
                methods=[method],
                tags=tags,
                summary=summary,
                response_description=answer,
                responses=responses,
            )
        return route

    return _add


async def _planned(kind: BatchKind, request: RerunRequest | RedeliveryRequest) -> BatchView:
    made = await asyncio.to_thread(batches.plan, kind, request.filter(), named(request.by))
    if not request.dry_run:
        await batches.confirm(made.id, named(request.by))
    return await asyncio.to_thread(batches.view, made.id)


@router.post(
    _RERUNS,
    tags=_TAGS[_RERUNS],
    summary="Plan the re-run of all archives that match a filter",
    response_description=_PLANNED,
)
async def plan_rerun(request: RerunRequest) -> BatchView:
    """With `dry_run`, the default, nothing runs: `confirm` freezes the list of the plan and starts it. Without, both
    happen at once.
    """
    return await _planned(BatchKind.RERUN, request)


@router.post(
    _REDELIVERIES,
    tags=_TAGS[_REDELIVERIES],
    summary="Plan the redelivery of all messages that match a filter",
    response_description=_PLANNED,
)
async def plan_redelivery(request: RedeliveryRequest) -> BatchView:
    """With `dry_run`, the default, nothing is sent: `confirm` freezes the list of the plan and makes it due. Without,
    both happen at once. The messages keep their ids.
    """
    return await _planned(BatchKind.REDELIVER, request)


@router.get(
    _RERUNS,
    tags=_TAGS[_RERUNS],
    summary="A page of bulk re-runs and plans, newest first",
    response_description="The page.",
)
def list_reruns(query: Annotated[PageQuery, Query()]) -> BatchPage:
    return batches.page(query, BatchKind.RERUN)


@router.get(
    _REDELIVERIES,
    tags=_TAGS[_REDELIVERIES],
    summary="A page of redeliveries and plans, newest first",
    response_description="The page.",
)
def list_redeliveries(query: Annotated[PageQuery, Query()]) -> BatchPage:
    return batches.page(query, BatchKind.REDELIVER)


@_of_both("GET", "", summary="A batch with a page of what became of its items", answer="The batch and the page.")
def read(batch_id: Text, query: Annotated[ItemQuery, Query()]) -> BatchRecord:
    return batches.record(batch_id, query)


@_of_both(
    "POST",
    "/confirm",
    summary="Freeze the list of a plan, and start it",
    answer="The confirmed batch. It has ended if its list is empty.",
    wrong_state="the batch is no longer planned.",
)
async def confirm(batch_id: Text, by: By) -> BatchView:
    """409 if it is no longer planned. What failed or arrived after the plan is not in the list."""
    await batches.confirm(batch_id, by)
    return await asyncio.to_thread(batches.view, batch_id)


@_of_both(
    "POST",
    "/pause",
    summary="Start no further item until it is resumed",
    answer="The paused batch.",
    wrong_state="the batch is not running.",
)
def pause(batch_id: Text, by: By) -> BatchView:
    """409 if it is not running. What is on its way ends as usual."""
    batches.pause(batch_id, by)
    return batches.view(batch_id)


@_of_both(
    "POST",
    "/resume",
    summary="Go on with a paused batch",
    answer="The resumed batch.",
    wrong_state="the batch is not paused.",
)
def resume(batch_id: Text, by: By) -> BatchView:
    """409 if it is not paused."""
    batches.resume(batch_id, by)
    return batches.view(batch_id)


@_of_both(
    "POST",
    "/abort",
    summary="End a batch, or discard a plan",
    answer="The aborted batch.",
    wrong_state="the batch has ended.",
)
def abort(batch_id: Text, by: By) -> BatchView:
    """409 if it has ended. Items that are not started stay untouched."""
    batches.abort(batch_id, by)
    return batches.view(batch_id)
