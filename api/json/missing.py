"""`/api/missing`: the processes that should have been archived."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from api.access import CallerOf, acts
from api.errors import failures
from models.access import Action
from models.views.parameters import Dismissal, Text
from models.views.troubles import MissingPage, MissingQuery, MissingView
from services.completeness import finding_missing
from services.views import troubles
from services.views.masks import shown_to

router = APIRouter(prefix="/api/missing", tags=["missing processes"])
_DISMISSAL_FAILURES = failures(
    {
        404: {"UNKNOWN_FINDING": "there is no such finding."},
        409: {"FINDING_CLOSED": "the finding is closed: the process has arrived, goes on, or was dismissed."},
    }
)


@router.get(
    "",
    summary="A page of missing processes, the nearest deadline first",
    response_description="The page.",
    dependencies=[acts(Action.READ_TROUBLES)],
)
def list_missing(query: Annotated[MissingQuery, Query()], caller: CallerOf) -> MissingPage:
    """Without `state`, the open findings; closed findings are the history."""
    return shown_to(caller, troubles.missing_page(query))


@router.post(
    "/{missing_id}/dismiss",
    summary="Dismiss a missing process",
    response_description="The finding, closed.",
    responses=_DISMISSAL_FAILURES,
    dependencies=[acts(Action.DECIDE)],
)
def dismiss(missing_id: Text, dismissal: Dismissal, caller: CallerOf) -> MissingView:
    """The finding stays in the history with the reason. A later submission of the process opens another finding."""
    return finding_missing.dismiss(missing_id, dismissal.model_copy(update={"by": caller.name}), datetime.now(UTC))
