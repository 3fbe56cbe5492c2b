"""`/api/overview`, `/api/anchors`, `/api/sources`: how the installation is, the proofs of what it held, and who sends
to it.
"""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from api.json.routes import does
from models.access import Action
from models.views.health import AnchorPage
from models.views.overview import Overview
from models.views.sources import Sources
from services.views import anchor_list, overview, source_list

glance = APIRouter(prefix="/api/overview", tags=["overview"])
anchors = APIRouter(prefix="/api/anchors", tags=["anchors"])
sources = APIRouter(prefix="/api/sources", tags=["sources"])


@glance.get("", **does(Action.READ_TROUBLES, "The installation at one glance", "The overview."))
def read_overview() -> Overview:
    """Just after the start `days` and `parts` may be null: they are counted in the background. `hours` are exact;
    `days` are up to a minute old.
    """
    return overview.overview(datetime.now(UTC))


@anchors.get("", **does(Action.READ_TROUBLES, "A page of anchors, oldest first"))
def list_anchors(
    cursor: Annotated[int, Query(ge=0, lt=1 << 63, description="`next` of the page before")] = 0,
) -> AnchorPage:
    return anchor_list.page(cursor)


@sources.get("", **does(Action.READ_SETTINGS, "The sources and their terms", "The sources."))
def list_sources() -> Sources:
    """`default` comes first. Secrets are never shown; `cellar sources` adds and changes sources."""
    return source_list.all_sources()
