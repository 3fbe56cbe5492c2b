"""What needs a person, a page for each kind: failed, refused and missing archives, and discrepancies."""

from datetime import UTC, datetime
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from adapters.tables.open_conditions import NOT_KEPT, open_conditions, open_numbers
from adapters.tables.runs import refused
from api.console.frame.cookies import ROOT
from api.console.frame.entrance import see
from api.console.frame.forms import Posted
from api.console.frame.rendering import render
from api.console.frame.threads import in_thread
from api.console.frame.visits import Person, own_path, recorded
from api.console.pages.lists import listed
from models.archive.archive import State
from models.errors import Refused
from models.people import ActionKind
from models.runs.batch import BatchKind
from models.runs.receipt import RefusedDelivery
from models.store.condition import ConditionCode, DerivedCode
from models.views.archives.archives import ArchiveFilter
from models.views.archives.payments import DiscrepancyQuery, Explanation
from models.views.parameters import Dismissal
from models.views.troubles import MissingQuery, RefusedQuery
from services.batches import batches
from services.completeness import finding_missing
from services.payments import discrepancies
from services.people import actions
from services.triggering import refused as triggering_refused
from services.triggering.refused import release_all
from services.views import troubles

DISCREPANCIES = f"{ROOT}/discrepancies"
router = APIRouter()


@router.get("/discrepancies")
def list_discrepancies(request: Request, _person: Person) -> Response:
    found = listed(request, DISCREPANCIES, DiscrepancyQuery, troubles.discrepancy_page)
    return render(
        request, "troubles/discrepancies.html", list=found, open_by_code=open_numbers(DerivedCode.DISCREPANCY_OPEN)
    )


@router.post("/discrepancies/{discrepancy_id}/explain")
async def explain(discrepancy_id: str, form: Posted, person: Person) -> Response:
    """Record why a discrepancy is in order, for exactly the values that the person has read."""
    values = {name: form.optional(name) for name in ("expected", "found")}
    said = Explanation(by=person, why=form.reason(), **values)
    await in_thread(discrepancies.explain, discrepancy_id, said, datetime.now(UTC))
    return see(own_path(form.text("then") or DISCREPANCIES))


FAILED = f"{ROOT}/failed"


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
    made = await in_thread(batches.plan, BatchKind.RERUN, chosen, recorded(person))
    return see(f"{ROOT}/bulk/{made.id}")


MISSING = f"{ROOT}/missing"


@router.get("/missing")
def list_missing(request: Request, _person: Person) -> Response:
    return render(request, "troubles/missing.html", list=listed(request, MISSING, MissingQuery, troubles.missing_page))


@router.post("/missing/{missing_id}/dismiss")
async def dismiss_missing(missing_id: str, form: Posted, person: Person) -> Response:
    """Close a finding: the process is not missing, or will not come."""
    said = Dismissal(by=person, why=form.reason())
    await in_thread(finding_missing.dismiss, missing_id, said, datetime.now(UTC))
    return see(f"{MISSING}?said=dismissed")


REFUSED = f"{ROOT}/refused"


@router.get("/refused")
def list_refused(request: Request, _person: Person) -> Response:
    found = listed(request, REFUSED, RefusedQuery, troubles.refused_page)
    return render(request, "troubles/refused.html", list=found, open_by_code=open_numbers(DerivedCode.DELIVERY_REFUSED))


@router.post("/refused/release")
async def release(form: Posted, person: Person) -> Response:
    """Check a refused body again, and take it in if it is accepted now."""
    fault = await in_thread(_release, form.text("receipt_id"), recorded(person))
    outcome = [("still", fault.code), ("where", fault.where)] if fault else [("said", "released")]
    return see(f"{REFUSED}?{urlencode(outcome)}")


@router.post("/refused/dismiss")
async def dismiss_refused(form: Posted, person: Person) -> Response:
    """Record that a refused body needs nobody any more, with a person's reason."""
    said = Dismissal(by=recorded(person), why=form.reason())
    await in_thread(_dismiss, form.text("receipt_id"), said)
    return see(f"{REFUSED}?said=dismissed")


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
