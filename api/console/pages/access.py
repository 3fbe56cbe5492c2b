"""`/console/access`: the access log, by person and by archive."""

from fastapi import APIRouter, Request, Response

from api.access import acts
from api.console.frame.cookies import ROOT
from api.console.frame.rendering import render
from api.console.pages.lists import listed
from models.access import Action
from models.views.access import AccessQuery
from services.views import access_list

router = APIRouter()


@router.get("/access", dependencies=[acts(Action.READ_ACCESS)])
def list_access(request: Request) -> Response:
    return render(request, "access.html", list=listed(request, f"{ROOT}/access", AccessQuery, access_list.page))
