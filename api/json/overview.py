"""`/api/overview`: what needs a person, and how the installation went over hours and days."""

from datetime import UTC, datetime

from fastapi import APIRouter

from api.access import acts
from models.access import Action
from models.views.overview import Overview
from services.views import overview

router = APIRouter(prefix="/api/overview", tags=["overview"])


@router.get(
    "",
    summary="The installation at one glance",
    response_description="The overview.",
    dependencies=[acts(Action.READ_TROUBLES)],
)
def read() -> Overview:
    """Just after the start `days` and `parts` may be null: they are counted in the background. `hours` are exact;
    `days` are up to a minute old.
    """
    return overview.overview(datetime.now(UTC))
