"""`/console/refused`: refused deliveries with their reasons, and releasing a body after a fix."""

from datetime import UTC, datetime
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from adapters.tables.runs import refused
from api.console.frame.cookies import ROOT
from api.console.frame.entrance import see
from api.console.frame.forms import Posted
from api.console.frame.rendering import render
from api.console.frame.threads import in_thread
from api.console.frame.visits import Person, recorded
from api.console.pages.lists.lists import listed
from models.errors import Refused
from models.people.action import ActionKind
from models.views.archives.refused import RefusedQuery
from services.people import actions
from services.triggering.releases import release_all
from services.views import refused_list

PATH = f"{ROOT}/refused"
router = APIRouter()


@router.get("/refused")
def list_refused(request: Request, _person: Person) -> Response:
    found = listed(request, PATH, RefusedQuery, refused_list.page)
    return render(request, "troubles/refused.html", list=found, unreleased=refused.unreleased_by_code())


@router.post("/refused/release")
async def release(form: Posted, person: Person) -> Response:
    """Check a refused body again, and take it in if it is accepted now."""
    fault = await in_thread(_release, form.text("receipt_id"), recorded(person))
    outcome = [("still", fault.code), ("where", fault.where)] if fault else [("said", "released")]
    return see(f"{PATH}?{urlencode(outcome)}")


def _release(receipt_id: str, by: str) -> Refused | None:
    deliveries = refused.of_body(receipt_id)
    if not deliveries:
        raise Refused("UNKNOWN_RECEIPT", "no refused delivery has this receipt; load the list again", status=404)
    [outcome] = release_all({receipt_id: deliveries})
    if outcome.fault is None:
        named = {each.reference for each in deliveries if each.reference}
        actions.record(named, ActionKind.RELEASE, by, datetime.now(UTC))
    return outcome.fault
