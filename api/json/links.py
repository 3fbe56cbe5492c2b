"""`/api/links`: the public links, and their end."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from api.access import CallerOf, acts
from api.errors import failures
from models.access import Action, RevokedLink
from models.views.access import LinkPage, LinkQuery, Revocation
from models.views.parameters import Text
from services.access import links
from services.views import link_list

router = APIRouter(prefix="/api/links", tags=["public link"])


@router.get(
    "",
    summary="A page of the public links that have not expired, newest first",
    response_description="The page.",
    dependencies=[acts(Action.READ_LINKS)],
)
def list_links(query: Annotated[LinkQuery, Query()]) -> LinkPage:
    return link_list.page(query)


@router.post(
    "/{receipt_id}/revoke",
    summary="Revoke a public link",
    response_description="The link opens nothing any more.",
    responses=failures({404: {"UNKNOWN_RECEIPT": "no archive was received that the link would show."}}),
    dependencies=[acts(Action.REVOKE_LINK)],
)
def revoke(receipt_id: Text, revocation: Revocation, caller: CallerOf) -> RevokedLink:
    """A link stays revoked, also if the same archive is sent again. A new version of it has a new link."""
    return links.revoke(receipt_id, caller.name, revocation.why, datetime.now(UTC))
