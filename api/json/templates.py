"""`/api/templates`: templates, what was learned of them, and what people say about them."""

from datetime import UTC, datetime

from fastapi import APIRouter

from api.access import CallerOf
from api.json.routes import does
from api.references import Reference, RouteAsSent
from domain.tables.catalogue import LEAD
from models.access import Action
from models.views.templates import ShapeMemberView, ShapeView, TemplateNaming, Templates, TemplateView
from services import tables, templates

router = APIRouter(prefix="/api/templates", tags=["templates"], route_class=RouteAsSent)
_UNKNOWN = {404: {"UNKNOWN_TEMPLATE": "no archive has this template, and nobody has named it."}}
_BAD_WORDS = {
    422: {
        "BAD_PARAMETER": "a parameter, or a member of the body, is unknown, missing, repeated or invalid.",
        "PERSONAL_FACET": "a facet is personal: its values would stand in lists with their counts.",
    }
}


@router.get("", **does(Action.READ_TEMPLATES, "The templates", "The templates, those with the most archives first."))
def list_templates(caller: CallerOf) -> Templates:
    """At most 500 by their archives, and all that people have named."""
    return templates.listed(caller)


@router.get(
    "/{template_id:path}/shape", **does(Action.READ_TEMPLATES, "The shape of a template", "The shape.", _UNKNOWN)
)
def read_shape(template_id: Reference, caller: CallerOf) -> ShapeView:
    """Which fields its newest archives have, with which share of them, and since and until when: as `dictionary` has
    it.
    """
    its = tables.described(None, template_id, caller)[len(LEAD) :]
    return ShapeView(
        learned_from=max((each.rows or 0 for each in its), default=0),
        members=[
            ShapeMemberView(
                path=each.column.place,
                types=[each.column.type],
                coverage=each.filled,
                first_at=each.first_at,
                last_at=each.last_at,
            )
            for each in its
        ],
    )


@router.get("/{template_id:path}", **does(Action.READ_TEMPLATES, "One template", "The template.", _UNKNOWN))
def read_template(template_id: Reference, caller: CallerOf) -> TemplateView:
    """File name and parts are learned from its newest archives, 200 at most."""
    return templates.view(template_id, caller)


@router.put(
    "/{template_id:path}",
    **does(Action.CHANGE_TEMPLATES, "Name a template", "The template with its new words.", _BAD_WORDS),
)
def name_template(template_id: Reference, words: TemplateNaming, caller: CallerOf) -> TemplateView:
    """Replaces all that people say about the template. If title or facets change, workers make the entries of archives
    again, and lists may miss some until then.
    """
    templates.name({template_id: words}, caller.name, datetime.now(UTC))
    return templates.view(template_id, caller)
