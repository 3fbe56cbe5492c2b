"""Keeps the shapes of archives, and the members of their templates with what was found of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

from sqlalchemy import bindparam, select, text, tuple_, update
from sqlmodel import Session, col

from adapters.database.transactions import reading, upsert
from domain.search import facet
from domain.shapes import MOST_MEMBERS, MOST_NEW, WINDOW, Members, Shape
from models.archive.archive import ArchiveRow
from models.columns import table_of
from models.runs.receipt import VersionRow
from models.search import Kind
from models.shapes import ShapeMemberRow, ShapeRow

_SHAPE = table_of(ShapeRow).c
_SKELETONS_AT_ONCE = 4
_DUE = (
    select(_SHAPE.reference, _SHAPE.version, _SHAPE.made_at, col(ArchiveRow.template_id), col(VersionRow.skeleton))
    .join_from(table_of(ShapeRow), table_of(ArchiveRow), col(ArchiveRow.reference) == _SHAPE.reference)
    .join(table_of(VersionRow), col(VersionRow.receipt_id) == col(ArchiveRow.current_receipt_id))
    .where(_SHAPE.members.is_(None))
    .order_by(_SHAPE.made_at, _SHAPE.reference)
)
_LOOKED_AT = (
    update(table_of(ShapeRow))
    .where(_SHAPE.reference == bindparam("its"))
    .values(template=bindparam("by"), members=bindparam("found"))
)


@dataclass(frozen=True, slots=True)
class Due:
    """A version that the radar has not looked at."""

    reference: str
    version: int
    made_at: datetime
    template_id: str | None


def template_facet(template_id: str) -> int:
    """Return by which number the shapes of a template are found, 0 of no template."""
    return facet(Kind.TEMPLATE, template_id) if template_id else 0


def queue(session: Session, version: VersionRow) -> None:
    """Let the radar look at the version that became current, in the caller's transaction."""
    made_at = version.received_at if version.is_from_future else version.event_at or version.received_at
    its = {"template": 0, "version": version.version, "made_at": made_at, "members": None}
    put = upsert(session, ShapeRow).values(reference=version.reference, **its)
    session.connection().execute(put.on_conflict_do_update(index_elements=["reference"], set_=its))


def due(most: int) -> Iterator[tuple[Due, bytes]]:
    """Yield the archives that the radar has not looked at, with their skeletons, as Cellosign made them: so old ones
    come before new ones also where all are loaded anew.
    """
    with reading() as session:
        found = session.connection().execute(_DUE.limit(most), execution_options={"yield_per": _SKELETONS_AT_ONCE})
        for *its, skeleton in found:
            yield Due(*its), skeleton


def lock(session: Session) -> None:
    """Let others wait that number members or find changes, until the transaction ends."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE shape_member IN SHARE ROW EXCLUSIVE MODE"))


def members(session: Session, template: int) -> list[ShapeMemberRow]:
    """Return the members of a template, by number. What was only in an erased archive has an empty path."""
    its = select(ShapeMemberRow).where(col(ShapeMemberRow.template) == template)
    return list(session.scalars(its.order_by(col(ShapeMemberRow.number))))


def take_in(session: Session, template_id: str, known: list[ShapeMemberRow], found: Mapping[Due, Members]) -> None:
    """Write the shapes of archives of a template, and add members that are new to those that are known. An archive that
    was erased, looked at or loaded anew meanwhile is left out.
    """
    by_member, rows = {(each.path, each.type): each for each in known}, list[dict[str, Any]]()
    template, references = template_facet(template_id), [each.reference for each in found]
    due = select(_SHAPE.reference, _SHAPE.version).where(_SHAPE.reference.in_(references), _SHAPE.members.is_(None))
    left = {(each.reference, each.version) for each in session.connection().execute(due.with_for_update())}
    for of, its in ((of, its) for of, its in found.items() if (of.reference, of.version) in left):
        bits, most = 0, min(MOST_MEMBERS, len(known) + MOST_NEW)
        for (path, type_), (parent, place) in its.items():
            row = by_member.get((path, type_))
            first = {"place": place, "reference": of.reference, "first_at": of.made_at}
            if row is None and len(known) < most:
                what = {"template_id": template_id, "path": path, "parent": parent, "type": type_}
                row = ShapeMemberRow.model_validate({"template": template, "number": len(known), **what, **first})
                by_member[path, type_] = row
                known.append(row)
                session.add(row)
            elif row is not None and of.made_at < row.first_at:
                row.sqlmodel_update(first)
            bits |= 1 << row.number if row else 0
        kept = bits.to_bytes((bits.bit_length() + 7) // 8, "little")
        rows.append({"its": of.reference, "by": template, "found": kept})
    if rows:
        session.connection().execute(_LOOKED_AT, rows)


def newest(session: Session, template: int) -> list[Shape]:
    """Return the shapes of the newest archives of a template, the newest first."""
    its = _SHAPE.template == template, _SHAPE.members.is_not(None)
    found = select(_SHAPE.reference, _SHAPE.made_at, _SHAPE.members).where(*its)
    rows = session.connection().execute(found.order_by(_SHAPE.made_at.desc(), _SHAPE.reference.desc()).limit(WINDOW))
    return [Shape(each.reference, each.made_at, int.from_bytes(each.members, "little")) for each in rows]


def forget(session: Session, reference: str, digest: str) -> None:
    """Take an archive out of the members of its template, before its shape is removed: also the names of members that
    none of the newest other archives has, since they may name a person.
    """
    lock(session)
    own = session.get(ShapeRow, reference)
    if own is None or not own.members:
        return
    others = reduce(or_, (each.bits for each in newest(session, own.template) if each.reference != reference), 0)
    alone = int.from_bytes(own.members, "little") & ~others
    for each in members(session, own.template):
        each.reference = digest if each.reference == reference else each.reference
        if alone >> each.number & 1:
            each.path = each.parent = each.place = ""
            each.is_open = False


def untold(session: Session) -> list[ShapeMemberRow]:
    """Return the open findings of one template that no event has told."""
    its = col(ShapeMemberRow.is_open), ~col(ShapeMemberRow.is_announced)
    one = select(col(ShapeMemberRow.template)).where(*its).limit(1).scalar_subquery()
    found = select(ShapeMemberRow).where(*its, col(ShapeMemberRow.template) == one)
    return list(session.scalars(found.order_by(col(ShapeMemberRow.number))))


def set_told(session: Session, rows: Sequence[ShapeMemberRow]) -> None:
    """Record that an event has told findings, unless they have changed meanwhile."""
    its = ShapeMemberRow.template, ShapeMemberRow.number, ShapeMemberRow.code, ShapeMemberRow.since
    which = tuple_(*map(col, its)).in_([(each.template, each.number, each.code, each.since) for each in rows])
    session.connection().execute(update(ShapeMemberRow).where(which).values(is_announced=True))
