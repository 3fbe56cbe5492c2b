"""Saved views of the list of archives: links to searches that all people share, saving and removing them."""

import secrets
from asyncio import to_thread
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Request, Response

from adapters.store import happened
from adapters.tables.people import saved_views
from api.access import CallerOf, acts
from api.console.frame.cookies import ROOT
from api.console.frame.rendering import see
from api.console.frame.visits import Form, Posted
from api.console.pages.lists import Pairs, asked
from domain.words.wording import N_
from models.access import Action
from models.errors import Refused
from models.people import LONGEST_NAME, SavedViewRow
from models.views.archives.archives import ListQuery

_LIST = f"{ROOT}/archives"
COLUMN = "column"
"""The name of a column's field in forms and links."""
_LONGEST_QUERY = 4000
_OF_THE_PAGE = {"cursor", "limit"}
_WRONG_NAME = N_("Write a name of at most 60 characters.")
_TAKEN = N_("A view has this name already. Choose another name, or remove that view first.")
_WRONG_FILTER = N_("A filter is not valid, so the search was not saved. Search first, then save.")
_TOO_LONG = N_("The search is too long to be saved. Leave out some of its filters.")
router = APIRouter()


@dataclass(frozen=True, slots=True)
class ViewLink:
    """A saved view as a link. `is_here`: the page shows it."""

    view: SavedViewRow
    url: str
    is_here: bool


def links_of(request: Request) -> list[ViewLink]:
    """Return the saved views as links of a page."""
    here = _set(request.query_params.multi_items())
    return [
        ViewLink(each, f"{_LIST}?{each.query}", its == here)
        for each in saved_views.shown()
        for its in [_set(parse_qsl(each.query, keep_blank_values=True))]
    ]


@router.post("/views", dependencies=[acts(Action.SAVE_VIEW)])
async def save(form: Posted, caller: CallerOf) -> Response:
    """Save a search. Raises Refused if its name is taken."""
    name, pairs = _name(form), _pairs(form)
    query, by, now = urlencode(pairs), caller.name, datetime.now(UTC)
    view = SavedViewRow(view_id=secrets.token_hex(16), name=name, query=query, saved_by=by, saved_at=now)
    if not await to_thread(saved_views.save, view):
        raise Refused("BAD_PARAMETER", _TAKEN, where="view_name")
    await to_thread(happened.keep)
    return see(f"{_LIST}?{query}")


@router.post("/views/{view_id}/remove", dependencies=[acts(Action.SAVE_VIEW)])
async def remove(view_id: str, caller: CallerOf) -> Response:
    await to_thread(saved_views.remove, view_id, caller.name, datetime.now(UTC))
    await to_thread(happened.keep)
    return see(_LIST)


def _name(form: Form) -> str:
    name = " ".join(form.text("view_name").split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Refused("BAD_PARAMETER", _WRONG_NAME, where="view_name")
    return name


def _pairs(form: Form) -> Pairs:
    """Return the filters and columns of a form, as the address of the list has them."""
    found = asked(ListQuery, form.fields)
    if found.query is None:
        raise Refused(
            "BAD_PARAMETER", _WRONG_FILTER, where=", ".join(each.name for each in found.fields if each.is_wrong)
        )
    pairs = [*found.pairs, *((name, value) for name, value in form.fields if name == COLUMN)]
    if len(urlencode(pairs)) > _LONGEST_QUERY:
        raise Refused("BAD_PARAMETER", _TOO_LONG)
    return pairs


def _set(pairs: Pairs) -> set[tuple[str, str]]:
    return {(name, value) for name, value in pairs if value.strip() and name not in _OF_THE_PAGE}
