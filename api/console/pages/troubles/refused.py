"""`/console/refused`: refused deliveries with their reasons, releasing a body after a fix, and dismissing it."""

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
from models.runs.refused import RefusedDelivery
from models.views.archives.refused import RefusedQuery
from models.views.parameters import Dismissal
from services.people import actions
from services.triggering import refused as triggering_refused
from services.triggering.refused import release_all
from services.views import refused_list

PATH = f"{ROOT}/refused"
router = APIRouter()


@router.get("/refused")
def list_refused(request: Request, _person: Person) -> Response:
    found = listed(request, PATH, RefusedQuery, refused_list.page)
    return render(request, "troubles/refused.html", list=found, open_by_code=refused.open_by_code())


@router.post("/refused/release")
async def release(form: Posted, person: Person) -> Response:
    """Check a refused body again, and take it in if it is accepted now."""
    fault = await in_thread(_release, form.text("receipt_id"), recorded(person))
    outcome = [("still", fault.code), ("where", fault.where)] if fault else [("said", "released")]
    return see(f"{PATH}?{urlencode(outcome)}")


@router.post("/refused/dismiss")
async def dismiss(form: Posted, person: Person) -> Response:
    """Record that a refused body needs nobody any more, with a person's reason."""
    said = Dismissal(by=recorded(person), why=form.reason())
    await in_thread(_dismiss, form.text("receipt_id"), said)
    return see(f"{PATH}?said=dismissed")


def _dismiss(receipt_id: str, said: Dismissal) -> None:
    if dismissed := triggering_refused.dismiss(_of_body(receipt_id), said, datetime.now(UTC)):
        refused.record(dismissed)  # so that the next page shows it; the sweep does the same


def _of_body(receipt_id: str) -> list[RefusedDelivery]:
    if deliveries := refused.of_body(receipt_id):
        return deliveries
    raise Refused("UNKNOWN_RECEIPT", "no refused delivery has this receipt; load the list again", status=404)


def _release(receipt_id: str, by: str) -> Refused | None:
    deliveries = _of_body(receipt_id)
    [outcome] = release_all({receipt_id: deliveries})
    if outcome.fault is None:
        named = {each.reference for each in deliveries if each.reference}
        actions.record(named, ActionKind.RELEASE, by, datetime.now(UTC))
    return outcome.fault
