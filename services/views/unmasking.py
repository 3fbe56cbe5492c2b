"""Gives a viewer one masked value for a reason, which the access log keeps with the place of the value."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from adapters.database.listing import cursor_after
from domain.masking import UNMASKABLE
from models.access import Action, Caller, Role
from models.errors import Refused
from models.views.access import AccessQuery
from models.views.archives.archives import Unmasked
from services.access.log import record
from services.receipts import unknown_reference
from services.views import access_list, archive_view

MOST = 30
"""The most values that a viewer is given in an hour, by all processes together."""
_MOST_TRIED = 500
_HOUR = timedelta(hours=1)
_PLACE = re.compile(rf"({'|'.join(UNMASKABLE)})\[(\d{{1,9}})\]\.(\w+)(?:\.(.+))?", re.DOTALL)


def unmask(reference: str, place: str, why: str, caller: Caller, now: datetime) -> Unmasked:
    """Return a masked value of an archive, once the reason is recorded. The record never has the value.

    Raises:
        Refused: there is no such archive, or no such place in it; or the caller was given too many values.
        Transient: the reason cannot be recorded.
    """
    value = _value(reference, place, caller)
    query = AccessQuery(person=caller.name, action=Action.UNMASK, since=now - _HOUR, limit=_MOST_TRIED)
    if sum("place" in each.detail for each in access_list.page(query).items) >= MOST:
        detail = f"a viewer is given {MOST} masked values an hour; try again later"
        raise Refused("TOO_MANY_REQUESTS", detail, where="place", status=429)
    record(caller, Action.UNMASK, reference=reference, detail={"place": place, "why": why})
    return Unmasked(place=place, value=value)


def _value(reference: str, place: str, caller: Caller) -> Any:
    if found := _PLACE.fullmatch(place):
        name, number, member, key = found[1], int(found[2]), found[3], found[4]
        unmasked = replace(caller, role=Role.OWNER)
        page = archive_view.items(reference, unmasked, name, cursor_after(number - 1, number - 1))
        if page is None:
            raise unknown_reference(reference)
        value: Any = page.items[0].model_dump(mode="json") if page.items else {}
        for each in (member, *([key] if key else ())):
            value = value.get(each) if isinstance(value, dict) else None
        if value is not None:
            return value
    detail = "nothing is there; a place is like fields[0].value or sessions[0].recipient.name"
    raise Refused("BAD_PARAMETER", detail, where="place", status=422)
