"""The drift radar: looks at the shape of each archive, and finds how the shapes of templates change.

Workers look at archives after these are loaded, a batch at a time, so no run of an archive waits for it. The findings
follow from what the newest archives have, in the order of Cellosign's clock.
"""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple

from sqlmodel import Session

from adapters.database.transactions import writing
from adapters.search import templates as said
from adapters.store import seals
from adapters.tables import shapes
from domain.body.json_text import parse
from domain.shapes import CHOICE, EMPTY, Members, changes_of, drifts, members_of, relied_on
from models.errors import Locked
from models.shapes import ShapeMemberRow, ShapeMemberView, ShapeView

_AT_ONCE = 50
_MOST_MEMBERS, _MOST_CHANGES = 1000, 200


def look() -> int:
    """Look at a batch of archives, and find how the shapes of their templates have changed. Return their number.

    A version that is superseded meanwhile stays due. While the key of the fingerprints is away, archives with choices
    and all after them wait.
    """
    found = defaultdict[str, dict[shapes.Due, Members]](dict)
    with suppress(Locked):
        for each, skeleton in shapes.due(_AT_ONCE):
            members = members_of(parse(skeleton), seals.fingerprint) if each.template_id else {}
            found[each.template_id or ""][each] = members
    for template_id, its in found.items():
        with writing() as session:
            shapes.lock(session)
            known = shapes.members(session, shapes.template_facet(template_id))
            shapes.take_in(session, template_id, known, its)
            judge_within(session, template_id, known)
    return sum(map(len, found.values()))


def judge_within(session: Session, template_id: str, members: Sequence[ShapeMemberRow] = ()) -> None:
    """Open and close the findings of a template by its newest archives and by what people say about it."""
    if not members:
        shapes.lock(session)
        members = shapes.members(session, shapes.template_facet(template_id))
    words = said.held(session).of(template_id)
    relied = relied_on(words, members)
    found = drifts(members, shapes.newest(session, shapes.template_facet(template_id)), relied)
    for each in members:
        drift, each.is_relied = found.get(each.number), each.path in relied
        if drift:
            each.is_announced = each.is_announced and (each.code, each.since) == (drift.code, drift.since)
            each.code, each.since, each.reference, each.place = astuple(drift)
        each.is_open = drift is not None and (words.seen_until is None or drift.since > words.seen_until)


def view_within(session: Session, template_id: str) -> ShapeView:
    """Return the shape of a template with its history."""
    template = shapes.template_facet(template_id)
    members, window = shapes.members(session, template), shapes.newest(session, template)
    by_path = defaultdict[str, list[ShapeMemberRow]](list)
    for each in (each for each in members if each.path):
        by_path[each.path].append(each)
    shown = [_member(path, its, [each.bits for each in window]) for path, its in by_path.items()]
    return ShapeView(
        learned_from=len(window),
        members=sorted(shown, key=lambda each: -each.coverage)[:_MOST_MEMBERS],
        changes=changes_of(members)[:_MOST_CHANGES],
    )


def _member(path: str, its: Sequence[ShapeMemberRow], window: Sequence[int]) -> ShapeMemberView:
    filled = sum(1 << each.number for each in its if each.type != EMPTY)
    types = [each.type for each in its if each.type != EMPTY]
    named = [each for each in types if not each.startswith(CHOICE)]
    coverage = round(sum(each & filled != 0 for each in window) / len(window), 3) if window else 0.0
    first_at = min(each.first_at for each in its)
    return ShapeMemberView(
        path=path, types=named, choices=len(types) - len(named), coverage=coverage, first_at=first_at
    )
