"""Finds a version that says what an earlier version said, which another had replaced: only its time is newer."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from domain.archive.versions import statement_of
from domain.body.json_text import JsonFault, parse
from models.archive.archive import ArchiveWarning, WarningCode
from models.errors import Conflict

if TYPE_CHECKING:
    from adapters.store.objects.requests import StoredRequest


def stated(request: "StoredRequest") -> str:
    """Return what a request says but for its time. Raises JsonFault, and what `StoredRequest.archive` raises."""
    return statement_of(parse(request.clear_skeleton()), [cut.content.sha256 for cut in request.cuts()])


def repeats(request: "StoredRequest") -> Iterator[ArchiveWarning]:
    """Yield a warning if the request says what had been replaced. A version that lost to a clock that was ahead may be
    sent again.
    """
    earlier = [*request.earlier()]
    statement = stated(request) if earlier else ""
    for each in reversed(earlier):
        with suppress(Conflict, JsonFault):  # a damaged version, which `verify` reports
            if stated(each) == statement and any(_said_at(other) > _said_at(each) for other in earlier):
                values = {"version": request.version, "earlier": each.version}
                yield ArchiveWarning(WarningCode.VERSION_REPEATS, "", values)
                return


def _said_at(request: "StoredRequest") -> datetime:
    return min(request.event_at() or request.arrived_at, request.arrived_at)
