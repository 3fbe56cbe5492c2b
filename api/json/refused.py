"""`/api/refused`: the refused deliveries."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.access import acts
from models.access import Action
from models.views.troubles import RefusedPage, RefusedQuery
from services.views import troubles

router = APIRouter(prefix="/api/refused", tags=["refused deliveries"])


@router.get(
    "",
    summary="A page of refused deliveries, newest first",
    response_description="The page.",
    dependencies=[acts(Action.READ_TROUBLES)],
)
def list_refused(query: Annotated[RefusedQuery, Query()]) -> RefusedPage:
    return troubles.refused_page(query)
