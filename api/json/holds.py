"""`/api/holds`: legal holds, and what puts an archive on hold and releases it."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from api.access import CallerOf
from api.json.archives import UNKNOWN
from api.json.routes import does
from api.references import Reference, RouteAsSent
from models.access import Action
from models.views.archives.archives import ArchiveFilter
from models.views.archives.holds import Holding, HoldPage, HoldQuery, HoldView, Releasing
from models.views.parameters import Text
from services import holds
from services.views.masks import shown_to

router = APIRouter(prefix="/api", tags=["legal holds"], route_class=RouteAsSent)
_UNKNOWN_HOLD = {404: {"UNKNOWN_HOLD": "there is no such hold."}}


@router.post(
    "/archives/{reference:path}/hold",
    **does(Action.HOLD, "Put an archive on legal hold", "The holds of the archive.", UNKNOWN),
)
def hold(reference: Reference, said: Holding, caller: CallerOf) -> HoldPage:
    """Until it is released, or its last day has passed, nobody can erase the archive, and the archive is not due."""
    holds.put(ArchiveFilter(reference=reference), said, caller.name, datetime.now(UTC))
    return holds.page(HoldQuery(reference=reference))


@router.get("/holds", **does(Action.READ_TROUBLES, "A page of legal holds, newest first"))
def list_holds(query: Annotated[HoldQuery, Query()], caller: CallerOf) -> HoldPage:
    return shown_to(caller, holds.page(query))


@router.post("/holds/{hold_id}/release", **does(Action.HOLD, "Release a legal hold", "The hold.", _UNKNOWN_HOLD))
def release(hold_id: Text, said: Releasing, caller: CallerOf) -> HoldView:
    """A hold that is no longer in force stays as it is. Other holds of the archive stay in force."""
    return holds.release_one(hold_id, caller.name, said.reason, datetime.now(UTC))
