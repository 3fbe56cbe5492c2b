"""`/console/bulk`: bulk re-runs: a plan, its confirmation, its progress, and what became of each archive."""

from fastapi import APIRouter, Request, Response

from api.console.frame.cookies import ROOT
from api.console.frame.entrance import see
from api.console.frame.forms import Posted
from api.console.frame.rendering import render
from api.console.frame.threads import in_thread
from api.console.frame.visits import Person, recorded
from api.console.pages.lists import asked, listed
from domain.bulk.plan_text import duration_text
from models.errors import Refused
from models.runs.bulk import ItemState
from models.views.bulk import ItemQuery
from models.views.parameters import PageQuery
from services.bulk import control, planning, records

PATH = f"{ROOT}/bulk"
router = APIRouter()


@router.get("/bulk")
def list_bulk_reruns(request: Request, _person: Person) -> Response:
    return render(request, "bulk/list.html", list=listed(request, PATH, PageQuery, records.page))


@router.get("/bulk/{bulk_id}")
def read(request: Request, bulk_id: str, _person: Person) -> Response:
    query = asked(ItemQuery, request.query_params.multi_items()).query
    if query is None:
        raise Refused("BAD_PARAMETER", "expected a state of archives, and the place where the page begins")
    found = records.record(bulk_id, query)
    return render(
        request,
        "bulk/rerun.html",
        found=found,
        query=query,
        states=tuple(ItemState),
        duration=None if found.plan.seconds is None else duration_text(found.plan.seconds),
    )


@router.post("/bulk/{bulk_id}/confirm")
async def confirm(bulk_id: str, _form: Posted, person: Person) -> Response:
    await planning.confirm(bulk_id, recorded(person))
    return see(f"{PATH}/{bulk_id}")


@router.post("/bulk/{bulk_id}/pause")
async def pause(bulk_id: str, _form: Posted, person: Person) -> Response:
    await in_thread(control.pause, bulk_id, recorded(person))
    return see(f"{PATH}/{bulk_id}")


@router.post("/bulk/{bulk_id}/resume")
async def resume(bulk_id: str, _form: Posted, person: Person) -> Response:
    await in_thread(control.resume, bulk_id, recorded(person))
    return see(f"{PATH}/{bulk_id}")


@router.post("/bulk/{bulk_id}/abort")
async def abort(bulk_id: str, _form: Posted, person: Person) -> Response:
    await in_thread(control.abort, bulk_id, recorded(person))
    return see(f"{PATH}/{bulk_id}")
