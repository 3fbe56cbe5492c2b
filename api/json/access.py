"""`/api/access`: the access log."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.access import acts
from models.access import Action
from models.views.access import AccessPage, AccessQuery
from services.views import access_list

router = APIRouter(prefix="/api/access", tags=["access log"])


@router.get(
    "",
    summary="A page of the access log, newest first",
    response_description="The page.",
    dependencies=[acts(Action.READ_ACCESS)],
)
def list_access(query: Annotated[AccessQuery, Query()]) -> AccessPage:
    return access_list.page(query)
