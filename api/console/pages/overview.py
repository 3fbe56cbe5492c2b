"""`/console/`: what needs a person first, how the parts are, and how the last hours or days went.

`/console/activity`: what happens now in all archives. Both pages, left open, ask for themselves again.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from fastapi import APIRouter, Request, Response

from api.access import CallerOf, acts
from api.console.frame.cookies import ROOT
from api.console.frame.rendering import PLACES, render, see
from domain.access import is_allowed
from domain.overview import HOUR, since_first
from models.access import Action
from models.views.archives.archives import Activity
from models.views.overview import Period
from models.views.parameters import Moment
from services.views import archive_list, overview, timeline

PATH = f"{ROOT}/"
router = APIRouter()


@router.get("/", dependencies=[acts(Action.ENTER)])
def read(request: Request, caller: CallerOf) -> Response:
    """Show the overview. Who may not read it is sent to the first page that they may read."""
    if not is_allowed(caller.role, Action.READ_TROUBLES):
        return see(next(each.path for each in PLACES if is_allowed(caller.role, each.action)))
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


@router.get("/activity", dependencies=[acts(Action.READ_TROUBLES)])
def activity(request: Request, caller: CallerOf, kind: Activity | None = None, since: Moment | None = None) -> Response:
    """Show the newest entries, of one kind or of all, and what failed within the hour; say how many came `since`."""
    hour_ago, found = datetime.now(UTC) - HOUR, timeline.activity()
    recent = {name: [each for each in entries if each.at > hour_ago] for name, entries in found.items()}
    shown = found[kind] if kind else timeline.newest_first(chain(*found.values()))
    titles = archive_list.titles((each.reference for each in (*shown, *recent["failed"])), caller)
    news = sum(each.at > since for each in shown) if since else 0
    its: dict[str, Any] = {"kind": kind, "recent": recent, "shown": shown, "news": news, "titles": titles}
    return render(request, "overview/activity.html", most=timeline.MOST_RECENT, **its)


def _causes(periods: Sequence[Period]) -> list[str]:
    """Return the causes of failed runs within some periods, the most frequent first."""
    numbers = Counter[str]()
    for period in periods:
        numbers.update(period.failed)
    return sorted(numbers, key=lambda code: (-numbers[code], code))
