"""`/console/access`: the access log, by person and by archive. `/console/links`: the public links, and their end."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from api.access import CallerOf, acts
from api.console.frame.cookies import ROOT
from api.console.frame.entrance import see
from api.console.frame.forms import Posted
from api.console.frame.rendering import render
from api.console.frame.threads import in_thread
from api.console.pages.lists import listed
from models.access import Action
from models.views.access import AccessQuery, LinkQuery
from services.access import links
from services.views import access_list, link_list

_LINKS = f"{ROOT}/links"
router = APIRouter()


@router.get("/access", dependencies=[acts(Action.READ_ACCESS)])
def list_access(request: Request) -> Response:
    return render(request, "access.html", list=listed(request, f"{ROOT}/access", AccessQuery, access_list.page))


@router.get("/links", dependencies=[acts(Action.READ_LINKS)])
def list_links(request: Request) -> Response:
    return render(request, "links.html", listed=listed(request, _LINKS, LinkQuery, link_list.page))


@router.post("/links/revoke", dependencies=[acts(Action.REVOKE_LINK)])
async def revoke(form: Posted, caller: CallerOf) -> Response:
    await in_thread(links.revoke, form.text("receipt_id"), caller.name, form.reason(), datetime.now(UTC))
    return see(_LINKS)
