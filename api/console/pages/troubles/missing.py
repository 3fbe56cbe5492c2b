"""`/console/missing`: processes that should have been archived, and dismissing a finding with a reason."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from api.console.frame.cookies import ROOT
from api.console.frame.entrance import see
from api.console.frame.forms import Posted
from api.console.frame.rendering import render
from api.console.frame.threads import in_thread
from api.console.frame.visits import Person
from api.console.pages.lists.lists import listed
from api.console.words.languages import N_
from models.errors import Refused
from models.views.archives.dismissal import Dismissal
from models.views.archives.missing import MissingQuery
from services.completeness import dismissing
from services.views import missing_list

PATH = f"{ROOT}/missing"
_NO_REASON = N_("Write a reason of at most 10,000 characters.")
router = APIRouter()


@router.get("/missing")
def list_missing(request: Request, _person: Person) -> Response:
    return render(request, "troubles/missing.html", list=listed(request, PATH, MissingQuery, missing_list.page))


@router.post("/missing/{missing_id}/dismiss")
async def dismiss(missing_id: str, form: Posted, person: Person) -> Response:
    """Close a finding: the process is not missing, or will not come."""
    try:
        said = Dismissal(by=person, why=form.text("why"))
    except ValidationError as error:
        raise Refused("BAD_PARAMETER", _NO_REASON, where="why") from error
    await in_thread(dismissing.dismiss, missing_id, said, datetime.now(UTC))
    return see(f"{PATH}?said=dismissed")
