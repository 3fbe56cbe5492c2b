"""Gives a viewer one masked value for a reason, which the access log keeps with the place of the value."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from sqlmodel import col, func, select

from adapters.database.listing import cursor_after
from adapters.database.transactions import read_one
from domain.masking import UNMASKABLE
from models.access import AccessRow, Action, Caller, Role
from models.errors import Refused
from models.views.archives.archives import Unmasked
from services.access.log import record
from services.receipts import unknown_reference
from services.views import archive_view

MOST = 30
"""The most values that a viewer is given in an hour, by all processes together."""
_HOUR = timedelta(hours=1)
_NOTHING = object()
_counting = Lock()
"""Held until a value is on record, so that requests at the same time do not each count the same."""
_PLACE = re.compile(rf"({'|'.join(UNMASKABLE)})\[(\d{{1,9}})\]\.(.+)", re.DOTALL)
_NUMBERED = re.compile(r"(.+?)\[(\d{1,9})\](?:\.(.+))?", re.DOTALL)


def unmask(reference: str, place: str, why: str, caller: Caller, now: datetime) -> Unmasked:
    """Return a masked value of an archive, once the reason is recorded. The record never has the value. That there is
    none, or that there are members, is an answer too, and counts: a mark does not tell.

    Raises:
        Refused: there is no such archive, or no single value at this place; or the caller was given too many values.
        Transient: the reason cannot be recorded.
    """
    with _counting:
        if _given(caller, now - _HOUR) >= MOST:
            detail = f"a viewer is given {MOST} masked values an hour; try again later"
            raise Refused("TOO_MANY_REQUESTS", detail, where="place", status=429)
        value = _value(reference, place, caller)
        record(caller, Action.UNMASK, reference=reference, detail={"place": place, "why": why})
    if isinstance(value, list | dict) and value:
        detail = "members are there; name a single one, like sessions[0].recipient.invitations[0].address"
        raise Refused("BAD_PARAMETER", detail, where="place", status=404)
    return Unmasked(place=place, value=value)


def _given(caller: Caller, since: datetime) -> int:
    """Return how many values a caller was given since a time. Requests for none have a record without a place."""
    its = AccessRow.person == caller.name, AccessRow.action == Action.UNMASK, col(AccessRow.at) >= since
    has_place = col(AccessRow.detail)["place"].as_string().is_not(None)
    return read_one(select(func.count()).select_from(AccessRow).where(*its, has_place))


def _value(reference: str, place: str, caller: Caller) -> Any:
    if found := _PLACE.fullmatch(place):
        name, number = found[1], int(found[2])
        unmasked = replace(caller, role=Role.OWNER)
        page = archive_view.items(reference, unmasked, name, cursor_after(number - 1, number - 1), 1)
        if page is None:
            raise unknown_reference(reference)
        item = page.items[0].model_dump(mode="json") if page.items else {}
        value = _within(item, found[3])
        if value is not _NOTHING:
            return value
    detail = "nothing is there; a place is like fields[0].value or sessions[0].recipient.name"
    raise Refused("BAD_PARAMETER", detail, where="place", status=404)


def _within(value: Any, path: str | None) -> Any:
    """Return what a value has at a path of members, each with a number if it is a list. A member may have any name."""
    if path is None:
        return value
    if not isinstance(value, dict):
        return _NOTHING
    if path in value:
        return value[path]
    name, dot, rest = path.partition(".")
    if dot and name in value:
        return _within(value[name], rest)
    numbered = _NUMBERED.fullmatch(path)
    its = value.get(numbered[1]) if numbered else None
    if numbered and isinstance(its, list) and int(numbered[2]) < len(its):
        return _within(its[int(numbered[2])], numbered[3])
    return _NOTHING
