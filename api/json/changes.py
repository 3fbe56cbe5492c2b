"""`/api/changes`: what changed in archives, for programs that keep a copy."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.access import CallerOf
from api.json.routes import does
from models.access import Action
from models.changes import ChangePage
from services import changes

router = APIRouter(prefix="/api/changes", tags=["changes"])
_AFTER = Query(description="`next` of the page before", json_schema_extra={"format": "sealed-cursor"})


@router.get("", **does(Action.LIST_ARCHIVES, "What changed in archives"))
def list_changes(caller: CallerOf, after: Annotated[str | None, _AFTER] = None) -> ChangePage:
    """Up to 1,000 changes, in order, and none is skipped. A page with fewer is the last for now: ask again later, with
    its `next`. Some changes are named twice, and several of one kind and archive in a row may be one.

    Without `after`, and where `epoch` is another than before since the database was made anew, the page is the first:
    each archive that is there is named, and each that was erased.
    """
    return changes.page(caller, after)
