"""`/console/`: what needs a person first, how the parts are, and how the last hours or days went."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from anyio import from_thread
from fastapi import APIRouter, Request, Response

from api.access import Acts, CallerOf, acts
from api.console.frame.cookies import ROOT
from api.console.frame.rendering import PLACES, render, see
from domain.access import is_allowed
from domain.overview import since_first
from models.access import Action
from models.views.overview import Period
from services.views import overview

PATH = f"{ROOT}/"
router = APIRouter()


@router.get("/", dependencies=[acts(Action.ENTER)])
def read(request: Request, caller: CallerOf) -> Response:
    """Show the overview. Who may not read it is sent to the first page that they may read."""
    if not is_allowed(caller.role, Action.READ_TROUBLES):
        return see(next(each.path for each in PLACES if is_allowed(caller.role, each.action)))
    from_thread.run(Acts(Action.READ_TROUBLES).record, request)
    is_month = request.query_params.get("span") == "month"
    found = overview.overview(datetime.now(UTC))
    counted = found.days if is_month else found.minutes or found.hours
    periods = counted and since_first(counted, found.first_at)
    return render(
        request,
        "overview/overview.html",
        found=found,
        is_month=is_month,
        periods=periods,
        is_cut=periods is not None and (bool(found.minutes) or periods != counted),
        counted_members={name for name in Period.model_fields for each in periods or () if getattr(each, name)},
        causes=_causes(periods or ()),
    )


def _causes(periods: Sequence[Period]) -> list[str]:
    """Return the causes of failed runs within some periods, the most frequent first."""
    numbers = Counter[str]()
    for period in periods:
        numbers.update(period.failed)
    return sorted(numbers, key=lambda code: (-numbers[code], code))
