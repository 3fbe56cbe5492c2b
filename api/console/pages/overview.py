"""`/console/`: what needs a person first, how the parts are, and how the last hours or days went."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from api.console.frame.cookies import ROOT
from api.console.frame.rendering import render
from api.console.frame.visits import Person
from models.views.overview import Period
from services.views import overview

PATH = f"{ROOT}/"
router = APIRouter()


@router.get("/")
def read(request: Request, _person: Person) -> Response:
    is_month = request.query_params.get("span") == "month"
    found = overview.overview(datetime.now(UTC))
    periods = found.days if is_month else found.hours
    return render(
        request,
        "overview/overview.html",
        found=found,
        is_month=is_month,
        periods=periods,
        causes=_causes(periods or []),
    )


def _causes(periods: list[Period]) -> list[str]:
    """Return the causes of failed runs within some periods, the most frequent first."""
    numbers: dict[str, int] = {}
    for period in periods:
        for code, number in period.failed.items():
            numbers[code] = numbers.get(code, 0) + number
    return sorted(numbers, key=lambda code: (-numbers[code], code))
