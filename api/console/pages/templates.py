"""`/console/templates`: the templates, what was learned of each, and a form to name it."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from api.access import CallerOf, acts
from api.console.frame.cookies import ROOT
from api.console.frame.rendering import render, see
from api.console.frame.threads import in_thread
from api.console.frame.visits import Form, Posted
from api.references import Reference, RouteAsSent
from domain.words.wording import N_
from models.access import Action
from models.errors import Refused
from models.retention import KEEP, RULE
from models.templates import PAYMENT, PERSON, TEMPLATE, TemplateWords
from models.views.templates import PartView, TemplateView
from services import templates

PATH = f"{ROOT}/templates"
_PERSONAL = N_("Personal values cannot be a facet, and are given no names: these would stand in lists.")
_WRONG = N_("A name has at most 100 characters, a title 7 parts, and a template 8 facets; retention has a number.")
_PERSONAL_IF = {"yes": True, "no": False}
"""What people say by a choice; by any other, nobody says."""
router = APIRouter(route_class=RouteAsSent)


@router.get("/templates", dependencies=[acts(Action.READ_TEMPLATES)])
def list_templates(request: Request, caller: CallerOf) -> Response:
    return render(request, "templates/list.html", templates=templates.listed(caller).items)


@router.get("/templates/{template_id:path}", dependencies=[acts(Action.READ_TEMPLATES)])
def show(request: Request, template_id: Reference, caller: CallerOf) -> Response:
    found = templates.view(template_id, caller)
    return _page(request, found, found.words.model_dump())


@router.post("/templates/{template_id:path}", dependencies=[acts(Action.CHANGE_TEMPLATES)])
async def name(request: Request, template_id: Reference, form: Posted, caller: CallerOf) -> Response:
    """Replace what people say about the template by what the form says. What is wrong is shown again."""
    found = await in_thread(templates.view, template_id, caller)
    given = _given(form, found)
    try:
        words = TemplateWords.model_validate(given)
        await in_thread(templates.name, {template_id: words}, caller.name, datetime.now(UTC))
    except ValidationError:
        return _page(request, found, given, _WRONG)
    except Refused:
        return _page(request, found, given, _PERSONAL)
    return see(f"{PATH}/{quote(template_id, safe='')}?said=named")


def _page(request: Request, found: TemplateView, given: dict[str, Any], wrong: str | None = None) -> Response:
    rule = RULE.fullmatch(given["retention"] or "")
    return render(
        request,
        "templates/template.html",
        422 if wrong else 200,
        found=found,
        given=given,
        rule=rule.groupdict() if rule else dict.fromkeys(RULE.groupindex),
        always=((PERSON, N_("Recipient or signer")), (TEMPLATE, N_("Template")), (PAYMENT, N_("Payment"))),
        wrong=wrong,
    )


def _given(form: Form, found: TemplateView) -> dict[str, Any]:
    """Return the words that a form gives. Parts that it did not show keep theirs, and so does the order."""
    words, shown = found.words.model_dump(), {PERSON, TEMPLATE, PAYMENT, *(each.part for each in found.parts)}
    for each in found.parts:
        names, personal = _names(form, f" {each.part}"), _PERSONAL_IF.get(form.text(f"personal {each.part}"))
        values = {} if personal else _values(form, each, words["parts"].get(each.part, {}).get("values", {}))
        if any(names.values()) or personal is not None or values:
            words["parts"][each.part] = {"name": names, "personal": personal, "values": values}
        else:
            words["parts"].pop(each.part, None)
    chosen = {
        name: _chosen(words[name], form.texts(box), shown) for name, box in (("title", "title"), ("facets", "facet"))
    }
    return words | chosen | {"name": _names(form, ""), "retention": _retention(form)}


def _values(form: Form, part: PartView, before: dict[str, Any]) -> dict[str, Any]:
    """Return what a form calls the values of a part. Values that it did not show keep their names."""
    given = {each: _names(form, f"={each} {part.part}") for each in part.choices}
    return before | {each: its for each, its in given.items() if any(its.values()) or each in before}


def _retention(form: Form) -> str | None:
    action = form.text("retention")
    if action in ("", KEEP):
        return action or None
    field = form.text("retention_field")
    return f"{action} after {form.text('retention_number')} {form.text('retention_unit')}" + (
        field and f" from {field}"
    )


def _chosen(before: list[str], ticked: list[str], shown: set[str]) -> list[str]:
    kept = [each for each in before if each in ticked or each not in shown]
    return [*kept, *(each for each in ticked if each not in before)]


def _names(form: Form, of: str) -> dict[str, str | None]:
    return {language: form.text(f"{language}{of}") or None for language in ("en", "he")}
