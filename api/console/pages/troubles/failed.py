"""`/console/failed`: failed archives by cause, and planning to run all of a cause again."""

from fastapi import APIRouter, Request, Response

from adapters.tables.open_conditions import NOT_KEPT, DerivedCode, open_conditions
from api.console.frame.cookies import ROOT
from api.console.frame.entrance import see
from api.console.frame.forms import Posted
from api.console.frame.rendering import render
from api.console.frame.threads import in_thread
from api.console.frame.visits import Person, recorded
from models.archive.archive import State
from models.store.condition import ConditionCode
from models.views.archives.archives import ArchiveFilter
from services.bulk import planning
from services.views import troubles

PATH = f"{ROOT}/failed"
router = APIRouter()


@router.get("/failed")
def list_failed(request: Request, _person: Person) -> Response:
    groups, waits = troubles.failures().items, open_conditions((DerivedCode.SYSTEM_AWAY,))
    return render(request, "troubles/failed.html", groups=groups, waits=waits, unkept=NOT_KEPT)


@router.post("/failed/plan")
async def plan(form: Posted, person: Person) -> Response:
    """Plan to run all failed archives again, of a cause or of every cause; or complete archives whose last run failed.
    Nothing runs before a confirmation.
    """
    chosen = ArchiveFilter(state=State.FAILED, cause=form.text("cause") or None)
    if form.text("condition"):
        chosen = ArchiveFilter(condition=ConditionCode.RUN_FAILED)
    made = await in_thread(planning.plan, chosen, recorded(person))
    return see(f"{ROOT}/bulk/{made.id}")
