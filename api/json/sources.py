"""`/api/sources`: the sources and their terms, without their secrets."""

from fastapi import APIRouter

from api.access import acts
from models.access import Action
from models.views.sources import Sources
from services.views import source_list

router = APIRouter(prefix="/api/sources", tags=["sources"])


@router.get(
    "",
    summary="The sources and their terms",
    response_description="The sources.",
    dependencies=[acts(Action.READ_SETTINGS)],
)
def list_sources() -> Sources:
    """`default` comes first. Secrets are never shown; `cellar sources` adds and changes sources."""
    return source_list.all_sources()
