"""`/api/failures`: failed archives, grouped by cause."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.access import acts
from models.access import Action
from models.views.troubles import FailureQuery, Failures
from services.views import troubles

router = APIRouter(prefix="/api/failures", tags=["failures"])


@router.get("", summary="Failed archives, grouped by cause", dependencies=[acts(Action.READ_TROUBLES)])
def list_failures(query: Annotated[FailureQuery, Query()]) -> Failures:
    """The cause of most archives comes first. Archives that wait to be tried again are not failed."""
    return troubles.failures(query.source)
