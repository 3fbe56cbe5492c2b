"""`/console/bulk`: batches: a plan, its confirmation, its progress, and what became of each item."""

from typing import Any

from fastapi import APIRouter, Request, Response

from api.access import CallerOf, acts
from api.console.frame.cookies import ROOT
from api.console.frame.rendering import render, see
from api.console.pages.lists import asked, listed
from domain.batches import WORDS
from models.access import Action
from models.errors import Refused
from models.runs.batch import BatchAction, BatchKind, ItemState
from models.views.batch import ItemQuery
from models.views.parameters import PageQuery
from services.batches import batches, erase
from services.views import archive_list
from services.views.masks import shown_to

PATH = f"{ROOT}/bulk"
router = APIRouter()


@router.get("/bulk", dependencies=[acts(Action.READ_TROUBLES)])
def list_batches(request: Request, caller: CallerOf) -> Response:
    found = listed(request, PATH, PageQuery, lambda query: shown_to(caller, batches.page(query)))
    return render(request, "batches/list.html", list=found)


@router.get("/bulk/{batch_id}", dependencies=[acts(Action.READ_TROUBLES)])
def read(request: Request, batch_id: str, caller: CallerOf) -> Response:
    query = asked(ItemQuery, request.query_params.multi_items()).query
    if query is None:
        raise Refused("BAD_PARAMETER", "expected a state of items, and the place where the page begins")
    found = shown_to(caller, batches.record(batch_id, query))
    sentences = WORDS[found.kind].sentences(found.plan)
    titles = archive_list.titles((each.subject for each in found.items if found.kind != BatchKind.REDELIVER), caller)
    waits = found.kind == BatchKind.ERASE and not erase.may_confirm(found.by, caller.name)
    shown: dict[str, Any] = {"found": found, "query": query, "sentences": sentences, "titles": titles, "waits": waits}
    return render(request, "batches/batch.html", states=tuple(ItemState), **shown)


@router.post("/erasures/{batch_id}/{action}", dependencies=[acts(Action.ERASE)])
async def act_on_erasure(batch_id: str, action: BatchAction, caller: CallerOf) -> Response:
    await batches.act(action, batch_id, caller.name, of_erasures=True)
    return see(f"{PATH}/{batch_id}")


@router.post("/bulk/{batch_id}/{action}", dependencies=[acts(Action.RERUN)])
async def act(batch_id: str, action: BatchAction, caller: CallerOf) -> Response:
    await batches.act(action, batch_id, caller.name)
    return see(f"{PATH}/{batch_id}")
