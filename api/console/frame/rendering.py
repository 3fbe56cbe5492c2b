"""Renders the templates: with the visitor's language, colours, name and CSRF token."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from adapters.settings.settings import settings
from adapters.store.sources import RECORDS
from api.access import asks_by_itself
from api.console.frame import cookies
from api.console.frame.cookies import ROOT, Visitor
from api.console.frame.static import static_url
from api.console.frame.visits import sent_path, visit
from api.console.words import formats, languages, telling
from domain.access import is_allowed
from domain.runs import heals_by_rerun
from domain.words.wording import N_, Language
from models.access import Action
from models.runs.receipt import DEFAULT_SOURCE


@dataclass(frozen=True, slots=True)
class Place:
    """A page of the navigation, for those who may do its action.

    `key` goes to its address after `g`; `icon` is the name of a symbol of icons.svg.
    """

    name: str
    path: str
    icon: str
    key: str
    action: Action = Action.READ_TROUBLES


PLACES: tuple[Place, ...] = (
    Place(N_("Overview"), f"{ROOT}/", "layout-dashboard", "o"),
    Place(N_("Activity"), f"{ROOT}/activity", "activity", "v"),
    Place(N_("Archives"), f"{ROOT}/archives", "archive", "a", Action.LIST_ARCHIVES),
    Place(N_("Discrepancies"), f"{ROOT}/discrepancies", "scale", "d"),
    Place(N_("Payments"), f"{ROOT}/payments", "credit-card", "y"),
    Place(N_("Failed"), f"{ROOT}/failed", "circle-x", "f"),
    Place(N_("Refused"), f"{ROOT}/refused", "ban", "r"),
    Place(N_("Missing"), f"{ROOT}/missing", "calendar-question", "m"),
    Place(N_("People"), f"{ROOT}/people", "user-check", "p", Action.READ_PEOPLE),  # an administrator's first page
    Place(N_("Templates"), f"{ROOT}/templates", "forms", "t", Action.READ_TEMPLATES),
    Place(N_("Tables"), f"{ROOT}/tables", "download", "x", Action.EXPORT_TABLE),
    Place(N_("Sources"), f"{ROOT}/sources", "inbox", "s", Action.READ_SETTINGS),
    Place(N_("Endpoints"), f"{ROOT}/endpoints", "webhook", "e", Action.READ_SETTINGS),
    Place(N_("Links"), f"{ROOT}/links", "link", "l", Action.READ_LINKS),
    Place(N_("Find a person"), f"{ROOT}/person", "search", "n", Action.FIND_PERSON),
    Place(N_("Bulk actions"), f"{ROOT}/bulk", "stack-2", "b"),
    Place(N_("Access"), f"{ROOT}/access", "eye", "w", Action.READ_ACCESS),
)


def is_here(place: Place, path: str) -> bool:
    """Return whether a page belongs to a place of the navigation."""
    if place.path == f"{ROOT}/":
        return path == place.path
    return path == place.path or path.startswith(f"{place.path}/")


_TEMPLATES = Path(__file__).parents[1] / "templates"
_FILTERS: Mapping[str, Callable[..., Any]] = {
    **{
        each.__name__.removesuffix("_text"): each
        for each in (
            *(telling.shown, telling.plain, telling.plain_lines, languages.worded),
            *(formats.moment_text, formats.short_moment_text, formats.day_text, formats.day_in_zone_text),
            *(formats.hour_text, formats.duration_text, formats.age_text, formats.size_text, formats.number_text),
            *(formats.money_text, telling.code_text, telling.code_or_value, telling.filter_name, telling.choice_text),
            *(telling.tone, telling.meaning, telling.wait_meaning, telling.answer_meaning, telling.part_meaning),
            *(telling.discrepancy_text, telling.told_by, telling.warned, telling.told),
            *(telling.english, telling.titled, telling.titled_plain, telling.named),
        )
    },
    "value": telling.said_value,
    "part": partial(telling.code_text, kind="part"),
    "missing_why": partial(telling.code_text, kind="missing"),
    "waits_for": partial(telling.code_text, kind="waits"),
    "moment_in_address": formats.moment_in_address,
    "in_path": lambda text: quote(str(text), safe=""),
}
"""What templates call as their functions are called."""


def render(request: Request, template: str, status: int = 200, **context: Any) -> HTMLResponse:
    """Return a page in the visitor's language.

    Templates know, beside `context`: `visitor`, `csrf_token`, `may`, `places`, `here`, `language`, `direction`,
    `theme`, `now`, `root`, and the functions `static_url` and `archive_url`.
    """
    with languages.speaking(language_of(request)):
        text = environment().get_template(template).render(_frame(request) | context)
    response = HTMLResponse(text, status)
    visitor: Visitor = request.state.visitor
    if not asks_by_itself(request) and (visitor.is_new or visitor.caller):
        cookies.VISITOR.keep(request, response, visitor.visitor_id)
    return response


def see(path: str) -> RedirectResponse:
    """Return the answer to a form: look at a page of the console."""
    return RedirectResponse(path, 303)


def language_of(request: Request) -> Language:
    return languages.chosen_language(cookies.language_choice(request), request.headers.get("accept-language", ""))


def archive_url(reference: str, *parts: str) -> str:
    """Return the path of an archive's dossier, or of a page below it."""
    return "/".join([f"{ROOT}/archives/{quote(reference, safe='')}", *parts])


def _frame(request: Request) -> dict[str, Any]:
    visitor = getattr(request.state, "visitor", None) or visit(request)
    path = request.url.path

    def _may(action: str) -> bool:
        return visitor.caller is not None and is_allowed(visitor.caller.role, Action(action))

    return {
        "request": request,
        "visitor": visitor,
        "csrf_token": visitor.csrf_token,
        "may": _may,
        "places": [each for each in PLACES if _may(each.action)],
        "here": next((each for each in PLACES if is_here(each, path)), None),
        "language": languages.language(),
        "direction": languages.direction(),
        "theme": cookies.theme_choice(request),
        "now": datetime.now(UTC),
        "prefect_url": settings().prefect_ui_url,
        "zone": settings().zone.key,
        "path_here": sent_path(request),
        "said": request.query_params.get("said"),
    }


def _in_each_page(words: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that words a constant in each page, not once in the language of the first page."""

    @pass_context
    def _filter(_context: Context, *arguments: Any, **named: Any) -> Any:
        return words(*arguments, **named)

    return _filter


@cache
def environment() -> Environment:
    """Return what makes pages of templates."""
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_callables(  # type: ignore[attr-defined]  # the extension adds it
        languages.gettext, languages.ngettext, newstyle=True
    )
    made.policies["ext.i18n.trimmed"] = True
    made.filters.update({name: _in_each_page(words) for name, words in _FILTERS.items()})
    made.tests["in_both_languages"] = languages.is_in_both_languages
    made.tests["healed_by_rerun"] = heals_by_rerun
    made.globals.update(root=ROOT, static_url=static_url, archive_url=archive_url)
    made.globals.update(known_sources=lambda: [DEFAULT_SOURCE, *sorted(RECORDS.known())])
    return made
