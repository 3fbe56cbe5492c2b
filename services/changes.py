"""Pages of what changed in archives. Their cursors tell nothing of the changes that a reader does not see."""

import base64
import json
from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from adapters.settings.digests import keyed_digest
from adapters.store.tombstones import known_digests
from adapters.tables.changes import Place, changes
from models.access import Caller
from models.changes import ChangePage, ChangeView
from models.errors import Refused
from services.access.scope import facets_of_scope

_MOST = 1000


def page(caller: Caller, after: str | None, most: int = _MOST) -> ChangePage:
    """Return the changes behind a cursor that a caller sees, those of the beginning without a cursor.

    Raises Refused if the cursor is not from a page of changes, or as `facets_of_scope` does.
    """
    place = None if after is None else _place(after)
    rows, place = changes(place, most, facets_of_scope(caller))
    digests = known_digests({each.reference for each in rows if each.kind != "erased"})
    return ChangePage(items=[_view(each, digests) for each in rows], next=_cursor(place), epoch=place.epoch)


def _view(row: Any, digests: Mapping[str, str]) -> ChangeView:
    if row.kind == "erased":
        return ChangeView(at=row.at, kind=row.kind, reference=None, digest=row.reference)
    return ChangeView(at=row.at, kind=row.kind, reference=row.reference, digest=digests.get(row.reference))


def _cursor(place: Place) -> str:
    """Return a place as a cursor: another text each time, and as long for any position."""
    position, *others = astuple(place)
    return _sealing().encrypt(json.dumps([f"{position:20}", *others]).encode()).decode()


def _place(cursor: str) -> Place:
    try:
        position, *others = json.loads(_sealing().decrypt(cursor.encode()))
    except InvalidToken:
        detail = "expected `next` of a page of changes; leave it out to begin anew"
        raise Refused("BAD_PARAMETER", detail, where="after") from None
    return Place(int(position), *others)


def _sealing() -> Fernet:
    return Fernet(base64.urlsafe_b64encode(bytes.fromhex(keyed_digest("changes", "cursor"))))
