"""`/api/access`: the access log."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.json.routes import does
from models.access import Action
from models.views.access import AccessPage, AccessQuery
from services.views import access_list

log = APIRouter(prefix="/api/access", tags=["access log"])


@log.get("", **does(Action.READ_ACCESS, "A page of the access log, newest first"))
def list_access(query: Annotated[AccessQuery, Query()]) -> AccessPage:
    return access_list.page(query)
