"""`/console/missing`: processes that should have been archived, and dismissing a finding with a reason."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from api.console.frame.cookies import ROOT
from api.console.frame.entrance import see
from api.console.frame.forms import Posted
from api.console.frame.rendering import render
from api.console.frame.threads import in_thread
from api.console.frame.visits import Person
from api.console.pages.lists.lists import listed
from models.views.archives.missing import MissingQuery
from models.views.parameters import Dismissal
from services.completeness import dismissing
from services.views import troubles

PATH = f"{ROOT}/missing"
router = APIRouter()


@router.get("/missing")
def list_missing(request: Request, _person: Person) -> Response:
    return render(request, "troubles/missing.html", list=listed(request, PATH, MissingQuery, troubles.missing_page))


@router.post("/missing/{missing_id}/dismiss")
async def dismiss(missing_id: str, form: Posted, person: Person) -> Response:
    """Close a finding: the process is not missing, or will not come."""
    said = Dismissal(by=person, why=form.reason())
    await in_thread(dismissing.dismiss, missing_id, said, datetime.now(UTC))
    return see(f"{PATH}?said=dismissed")
