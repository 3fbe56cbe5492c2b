"""The drift radar: looks at the shape of each archive, and finds how the shapes of templates change.

Workers look at archives after these are loaded, a batch at a time, so no run of an archive waits for it. The findings
follow from what the newest archives have, in the order of Cellosign's clock.
"""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple

from adapters.database.transactions import reading, writing
from adapters.search import templates as said
from adapters.store import seals
from adapters.tables import shapes
from domain.body.json_text import parse
from domain.shapes import CHOICE, EMPTY, Members, changes_of, drifts, members_of, relied_on
from models.errors import Locked
from models.shapes import ShapeMemberRow, ShapeMemberView, ShapeView

_AT_ONCE, _MEMBERS_AT_ONCE = 50, 20_000
_MOST_MEMBERS, _MOST_CHANGES = 1000, 200
_unjudged = set[str]()
"""The templates whose archives this process has looked at since it judged them last."""


def look() -> int:
    """Record the shapes of a batch of archives, and return their number. After the last batch, find how the templates
    have changed: archives of before an upgrade, or of a backlog, are no news.

    A version that is superseded meanwhile stays due. While the key of the fingerprints is away, archives with choices
    and all after them wait.
    """
    found, room = defaultdict[str, list[tuple[shapes.Due, Members]]](list), _MEMBERS_AT_ONCE
    with suppress(Locked):
        for each in shapes.due(_AT_ONCE):
            members = members_of(parse(each.skeleton), seals.fingerprint) if each.template_id else {}
            found[each.template_id or ""].append((each, members))
            if (room := room - len(members)) < 0:
                break
    for template_id, its in found.items():
        with writing() as session:
            shapes.take_in(session, template_id, its)
    _unjudged.update(found)
    number = sum(map(len, found.values()))
    for template_id in sorted(_unjudged) if room >= 0 and number < _AT_ONCE else ():
        judge(template_id)
        _unjudged.discard(template_id)
    return number


def judge(template_id: str) -> None:
    """Open and close the findings of a template by its newest archives and by what people say about it."""
    with writing() as session:
        shapes.lock(session)
        members, words = shapes.members(session, template_id), said.held(session).of(template_id)
        relied, found = relied_on(words, members), drifts(members, shapes.newest(session, template_id))
        for each in members:
            drift, each.is_relied = found.get(each.number), each.path in relied
            if drift:
                each.code, each.since, each.reference, each.place = astuple(drift)
            each.is_open = drift is not None and (words.seen_until is None or drift.since > words.seen_until)


def view(template_id: str) -> ShapeView:
    """Return the shape of a template with its history; that of an unknown template is empty."""
    with reading() as session:
        members, window = shapes.members(session, template_id), shapes.newest(session, template_id)
    by_path = defaultdict[str, list[ShapeMemberRow]](list)
    for each in members:
        by_path[each.path].append(each)
    shown = [_member(path, its, [each.bits for each in window]) for path, its in by_path.items()]
    return ShapeView(
        learned_from=len(window),
        members=sorted(shown, key=lambda each: -each.coverage)[:_MOST_MEMBERS],
        changes=changes_of(members)[:_MOST_CHANGES],
    )


def _member(path: str, its: Sequence[ShapeMemberRow], window: Sequence[int]) -> ShapeMemberView:
    filled = [each for each in its if each.type != EMPTY]
    mask = sum(1 << each.number for each in filled)
    types = [each.type for each in filled if not each.type.startswith(CHOICE)]
    return ShapeMemberView(
        path=path,
        types=types,
        choices=len(filled) - len(types),
        coverage=round(sum(each & mask != 0 for each in window) / (len(window) or 1), 3),
        first_at=min(each.first_at for each in its),
    )
