"""`/console/access`: the access log, by person and by archive. `/console/links`: the public links, and their end.

`/console/prefect-access`: says to nginx whether a request to Prefect may pass, for `auth_request` of
deploy/nginx/prefect-people.conf.
"""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from api.access import CallerOf, acts, check_role
from api.console.frame.cookies import ROOT
from api.console.frame.rendering import render, see
from api.console.frame.threads import in_thread
from api.console.frame.visits import Posted
from api.console.pages.lists import listed
from domain.access import action_in_prefect
from models.access import Action
from models.errors import Refused
from models.views.access import AccessQuery, LinkQuery
from services.access import links
from services.access.log import record
from services.views import access_list, link_list

_LINKS = f"{ROOT}/links"
PREFECT = "/prefect-access"
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


@router.get(PREFECT, dependencies=[acts(Action.READ_PREFECT)])
def may_pass(request: Request, caller: CallerOf) -> Response:
    """Let a request pass whose method, path and origin nginx names. What changes Prefect is recorded each time.

    Raises Refused if the caller's role may not act in Prefect, or a page of another site lets the browser act.
    """
    asked = request.headers
    method, path = asked.get("x-original-method", ""), asked.get("x-original-uri", "").partition("?")[0]
    action = action_in_prefect(method, path)
    if action is Action.READ_PREFECT:
        return Response(status_code=204)
    detail = {"route": f"{method} {path}"[:200]}
    own = asked.get("x-original-origin")
    try:
        if asked.get("sec-fetch-site", "same-origin") != "same-origin" or asked.get("origin", own) != own:
            raise Refused("FORM_FROM_ELSEWHERE", "the request does not come from a page of Prefect here", status=403)
        check_role(caller, action)
    except Refused:
        record(caller, action, outcome="denied", detail=detail)
        raise
    record(caller, action, detail=detail)
    return Response(status_code=204)
