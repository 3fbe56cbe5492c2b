"""`/api/refused`: the refused deliveries."""

from typing import Annotated

from fastapi import APIRouter, Query

from models.views.troubles import RefusedPage, RefusedQuery
from services.views import refused_list

router = APIRouter(prefix="/api/refused", tags=["refused deliveries"])


@router.get("", summary="A page of refused deliveries, newest first", response_description="The page.")
def list_refused(query: Annotated[RefusedQuery, Query()]) -> RefusedPage:
    return refused_list.page(query)
