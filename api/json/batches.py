"""`/api/bulk-reruns` and `/api/redeliveries`: plan, confirm, pause, resume, abort and show batches of either kind."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.access import CallerOf, acts
from api.errors import LISTS_FAILURES, failures
from models.access import Action
from models.runs.batch import BatchAction, BatchKind
from models.views.batch import BatchPage, BatchRecord, BatchView, ItemQuery, RedeliveryRequest, RerunRequest
from models.views.parameters import Client, PageQuery, Text
from services.batches import batches
from services.views.masks import shown_to

router = APIRouter()
_RERUNS, _REDELIVERIES = "/api/bulk-reruns", "/api/redeliveries"
_TAGS: dict[str, Any] = {_RERUNS: ["bulk re-runs"], _REDELIVERIES: ["redeliveries"]}
_UNKNOWN = {404: {"UNKNOWN_BATCH": "no batch has this id."}}
_PLANNED = "The plan, or the batch that was started."


async def _planned(kind: BatchKind, request: RerunRequest | RedeliveryRequest, by: str) -> BatchView:
    made = await asyncio.to_thread(batches.plan, kind, request.filter(), by)
    if not request.dry_run:
        await batches.confirm(made.id, by)
    return await asyncio.to_thread(batches.view, made.id)


@router.post(
    _RERUNS,
    tags=_TAGS[_RERUNS],
    summary="Plan the re-run of all archives that match a filter",
    response_description=_PLANNED,
    responses=LISTS_FAILURES,
    dependencies=[acts(Action.RERUN)],
)
async def plan_rerun(request: RerunRequest, caller: CallerOf) -> BatchView:
    """With `dry_run`, the default, nothing runs: `confirm` freezes the list of the plan and starts it. Without, both
    happen at once.
    """
    return await _planned(BatchKind.RERUN, request, caller.name)


@router.post(
    _REDELIVERIES,
    tags=_TAGS[_REDELIVERIES],
    summary="Plan the redelivery of all messages that match a filter",
    response_description=_PLANNED,
    responses=LISTS_FAILURES,
    dependencies=[acts(Action.REDELIVER)],
)
async def plan_redelivery(request: RedeliveryRequest, caller: CallerOf) -> BatchView:
    """With `dry_run`, the default, nothing is sent: `confirm` freezes the list of the plan and makes it due. Without,
    both happen at once. The messages keep their ids.
    """
    return await _planned(BatchKind.REDELIVER, request, caller.name)


@router.get(
    _RERUNS,
    tags=_TAGS[_RERUNS],
    summary="A page of bulk re-runs and plans, newest first",
    response_description="The page.",
    dependencies=[acts(Action.READ_TROUBLES)],
)
def list_reruns(query: Annotated[PageQuery, Query()], caller: CallerOf) -> BatchPage:
    return shown_to(caller, batches.page(query, BatchKind.RERUN))


@router.get(
    _REDELIVERIES,
    tags=_TAGS[_REDELIVERIES],
    summary="A page of redeliveries and plans, newest first",
    response_description="The page.",
    dependencies=[acts(Action.READ_TROUBLES)],
)
def list_redeliveries(query: Annotated[PageQuery, Query()], caller: CallerOf) -> BatchPage:
    return shown_to(caller, batches.page(query, BatchKind.REDELIVER))


def read(batch_id: Text, query: Annotated[ItemQuery, Query()], caller: CallerOf) -> BatchRecord:
    return shown_to(caller, batches.record(batch_id, query))


async def act(batch_id: Text, action: BatchAction, caller: CallerOf, _client: Client | None = None) -> BatchView:
    """`confirm` freezes the list of a plan and starts it. What failed or arrived after the plan is not in the list, and
    the batch has ended if the list is empty. `pause` starts no further item until `resume`; what is on its way ends as
    usual. `abort` ends the batch, or discards a plan; items that are not started stay untouched. 409 if its state does
    not allow it.
    """
    return await batches.act(action, batch_id, caller.name)


for each, acting in ((_RERUNS, Action.RERUN), (_REDELIVERIES, Action.REDELIVER)):
    router.add_api_route(
        f"{each}/{{batch_id}}",
        read,
        tags=_TAGS[each],
        summary="A batch with a page of what became of its items",
        response_description="The batch and the page.",
        responses=failures(_UNKNOWN),
        dependencies=[acts(Action.READ_TROUBLES)],
    )
    router.add_api_route(
        f"{each}/{{batch_id}}/{{action}}",
        act,
        methods=["POST"],
        tags=_TAGS[each],
        summary="Confirm, pause, resume or abort a batch",
        response_description="The batch after that.",
        responses=failures(_UNKNOWN | {409: {"WRONG_STATE": "the state of the batch does not allow the action."}}),
        dependencies=[acts(acting)],
    )
