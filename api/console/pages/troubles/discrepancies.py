"""`/console/discrepancies`: contradictions about money, and explaining them."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from adapters.tables.open_conditions import DerivedCode, open_numbers
from api.console.frame.cookies import ROOT
from api.console.frame.entrance import see
from api.console.frame.forms import Posted
from api.console.frame.rendering import render
from api.console.frame.threads import in_thread
from api.console.frame.visits import Person, own_path
from api.console.pages.lists.lists import listed
from models.views.archives.payments import DiscrepancyQuery, Explanation
from services.payments import discrepancies
from services.views import troubles

PATH = f"{ROOT}/discrepancies"
router = APIRouter()


@router.get("/discrepancies")
def list_discrepancies(request: Request, _person: Person) -> Response:
    found = listed(request, PATH, DiscrepancyQuery, troubles.discrepancy_page)
    return render(
        request, "troubles/discrepancies.html", list=found, open_by_code=open_numbers(DerivedCode.DISCREPANCY_OPEN)
    )


@router.post("/discrepancies/{discrepancy_id}/explain")
async def explain(discrepancy_id: str, form: Posted, person: Person) -> Response:
    """Record why a discrepancy is in order, for exactly the values that the person has read."""
    values = {name: form.optional(name) for name in ("expected", "found")}
    said = Explanation(by=person, why=form.reason(), **values)
    await in_thread(discrepancies.explain, discrepancy_id, said, datetime.now(UTC))
    return see(own_path(form.text("then") or PATH))
