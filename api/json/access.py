"""`/api/access`: the access log. `/api/links`: the public links, and their end."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from api.access import CallerOf
from api.json.routes import does
from models.access import Action, RevokedLink
from models.views.access import AccessPage, AccessQuery, LinkPage, LinkQuery, LinkRevocation
from models.views.parameters import Text
from services.access import links
from services.views import access_list, link_list

log = APIRouter(prefix="/api/access", tags=["access log"])
public_links = APIRouter(prefix="/api/links", tags=["public link"])
_UNKNOWN = {404: {"UNKNOWN_RECEIPT": "no archive was received that the link would show."}}


@log.get("", **does(Action.READ_ACCESS, "A page of the access log, newest first"))
def list_access(query: Annotated[AccessQuery, Query()]) -> AccessPage:
    return access_list.page(query)


@public_links.get("", **does(Action.READ_LINKS, "A page of the public links that have not expired, newest first"))
def list_links(query: Annotated[LinkQuery, Query()]) -> LinkPage:
    return link_list.page(query)


@public_links.post(
    "/{receipt_id}/revoke",
    **does(Action.REVOKE_LINK, "Revoke a public link", "The link opens nothing any more.", _UNKNOWN),
)
def revoke_link(receipt_id: Text, revocation: LinkRevocation, caller: CallerOf) -> RevokedLink:
    """A link stays revoked, also if the same archive is sent again. A new version of it has a new link."""
    return links.revoke(receipt_id, caller.name, revocation.why, datetime.now(UTC))
