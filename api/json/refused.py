"""`/api/refused`: the refused deliveries."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.access import CallerOf, acts
from models.access import Action
from models.views.troubles import RefusedPage, RefusedQuery
from services.views import troubles
from services.views.masks import shown_to

router = APIRouter(prefix="/api/refused", tags=["refused deliveries"])


@router.get(
    "",
    summary="A page of refused deliveries, newest first",
    response_description="The page.",
    dependencies=[acts(Action.READ_TROUBLES)],
)
def list_refused(query: Annotated[RefusedQuery, Query()], caller: CallerOf) -> RefusedPage:
    return shown_to(caller, troubles.refused_page(query))
