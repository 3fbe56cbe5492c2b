"""Says to nginx whether a request to Prefect may pass: `auth_request` of deploy/nginx/prefect-people.conf."""

from fastapi import APIRouter, Request, Response

from api.access import CallerOf, acts, check_role
from domain.access import action_in_prefect
from models.access import Action
from models.errors import Refused
from services.access.log import record

PATH = "/prefect-access"
router = APIRouter()


@router.get(PATH, dependencies=[acts(Action.READ_PREFECT)])
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
