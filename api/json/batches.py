"""`/api/bulk-reruns`, `/api/redeliveries` and `/api/erasures`: plan, confirm, pause, resume, abort and show batches."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query

from api.access import CallerOf
from api.json.routes import OF_A_LIST, does
from models.access import Action
from models.runs.batch import BatchAction, BatchKind
from models.views.batch import (
    BatchPage,
    BatchRecord,
    BatchView,
    ErasureFilter,
    ErasureRequest,
    ItemQuery,
    RedeliveryRequest,
    RerunRequest,
)
from models.views.parameters import Client, PageQuery, Text
from services.batches import batches
from services.views.masks import shown_to

reruns = APIRouter(prefix="/api/bulk-reruns", tags=["bulk re-runs"])
redeliveries = APIRouter(prefix="/api/redeliveries", tags=["redeliveries"])
erasures = APIRouter(prefix="/api/erasures", tags=["erasures"])
_UNKNOWN = {404: {"UNKNOWN_BATCH": "no batch has this id."}}
_NOT_DONE = _UNKNOWN | {409: {"WRONG_STATE": "the state of the batch does not allow the action."}}
_ERASURE_NOT_DONE = _UNKNOWN | {
    409: _NOT_DONE[409] | {"SECOND_PERSON": "another person than the planner must confirm the erasure."}
}
_PLANNED = ("The plan, or the batch that was started.", OF_A_LIST)


async def _planned(kind: BatchKind, request: RerunRequest | RedeliveryRequest, by: str) -> BatchView:
    made = await asyncio.to_thread(batches.plan, kind, request.filter(), by)
    if not request.dry_run:
        await batches.confirm(made.id, by)
    return await asyncio.to_thread(batches.view, made.id)


@reruns.post("", **does(Action.RERUN, "Plan the re-run of all archives that match a filter", *_PLANNED))
async def plan_rerun(request: RerunRequest, caller: CallerOf) -> BatchView:
    """With `dry_run`, the default, nothing runs: `confirm` freezes the list of the plan and starts it. Without, both
    happen at once.
    """
    return await _planned(BatchKind.RERUN, request, caller.name)


@redeliveries.post("", **does(Action.REDELIVER, "Plan the redelivery of all messages that match a filter", *_PLANNED))
async def plan_redelivery(request: RedeliveryRequest, caller: CallerOf) -> BatchView:
    """With `dry_run`, the default, nothing is sent: `confirm` freezes the list of the plan and makes it due. Without,
    both happen at once. The messages keep their ids.
    """
    return await _planned(BatchKind.REDELIVER, request, caller.name)


@erasures.post("", **does(Action.ERASE, "Plan the erasure of archives", "The plan.", OF_A_LIST))
async def plan_erasure(request: ErasureRequest, caller: CallerOf) -> BatchView:
    """Nothing is erased: `confirm` by another person freezes the list of the plan and starts it. Archives that are held
    or on their way are left out.
    """
    chosen = ErasureFilter(**request.model_dump(exclude={"by"}))
    made = await asyncio.to_thread(batches.plan, BatchKind.ERASE, chosen, caller.name)
    return await asyncio.to_thread(batches.view, made.id)


@reruns.get("", **does(Action.READ_TROUBLES, "A page of bulk re-runs and plans, newest first"))
def list_reruns(query: Annotated[PageQuery, Query()], caller: CallerOf) -> BatchPage:
    return shown_to(caller, batches.page(query, BatchKind.RERUN))


@redeliveries.get("", **does(Action.READ_TROUBLES, "A page of redeliveries and plans, newest first"))
def list_redeliveries(query: Annotated[PageQuery, Query()], caller: CallerOf) -> BatchPage:
    return shown_to(caller, batches.page(query, BatchKind.REDELIVER))


@erasures.get("", **does(Action.READ_TROUBLES, "A page of erasures and plans, newest first"))
def list_erasures(query: Annotated[PageQuery, Query()], caller: CallerOf) -> BatchPage:
    return shown_to(caller, batches.page(query, BatchKind.ERASE))


def read(batch_id: Text, query: Annotated[ItemQuery, Query()], caller: CallerOf) -> BatchRecord:
    return shown_to(caller, batches.record(batch_id, query))


async def act(batch_id: Text, action: BatchAction, caller: CallerOf, _client: Client | None = None) -> BatchView:
    """`confirm` freezes the list of a plan and starts it. What failed or arrived after the plan is not in the list, and
    the batch has ended if the list is empty. `pause` starts no further item until `resume`; what is on its way ends as
    usual. `abort` ends the batch, or discards a plan; items that are not started stay untouched. 409 if its state does
    not allow it.
    """
    return await batches.act(action, batch_id, caller.name)


async def act_on_erasure(
    batch_id: Text, action: BatchAction, caller: CallerOf, _client: Client | None = None
) -> BatchView:
    """`confirm`, by another person than the planner, freezes the list of a plan and starts it. Then each archive is
    erased for good: `pause` and `abort` leave what is not begun. 409 if its state does not allow it.
    """
    return await batches.act(action, batch_id, caller.name, of_erasures=True)


_SHOWS = "A batch with a page of what became of its items", "The batch and the page.", _UNKNOWN
_ACTS = "Confirm, pause, resume or abort a batch", "The batch after that.", _NOT_DONE
for each, acting, noun in ((reruns, Action.RERUN, "rerun"), (redeliveries, Action.REDELIVER, "redelivery")):
    each.get("/{batch_id}", name=f"read_{noun}", **does(Action.READ_TROUBLES, *_SHOWS))(read)
    each.post("/{batch_id}/{action}", name=f"act_on_{noun}", **does(acting, *_ACTS))(act)
erasures.get("/{batch_id}", name="read_erasure", **does(Action.READ_TROUBLES, *_SHOWS))(read)
erasures.post("/{batch_id}/{action}", **does(Action.ERASE, *_ACTS[:2], _ERASURE_NOT_DONE))(act_on_erasure)
