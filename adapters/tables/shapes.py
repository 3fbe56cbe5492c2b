"""Keeps the shapes of archives, and the members of their templates with what was found of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

from sqlalchemy import Row, bindparam, select, text, update
from sqlmodel import Session, col

from adapters.database.transactions import reading, upsert
from domain.search import facet
from domain.shapes import CHOICE, WINDOW, Members, Shape
from domain.tables.values import MOST_CHOICES
from models.archive.archive import ArchiveRow
from models.columns import table_of
from models.runs.receipt import VersionRow
from models.search import Kind
from models.shapes import DriftCode, ShapeMemberRow, ShapeRow

_SHAPE, _MEMBER = table_of(ShapeRow).c, table_of(ShapeMemberRow).c
_SKELETONS_AT_ONCE = 4
Due = Row[tuple[str, int, datetime, str | None, bytes]]
"""Reference, version and time of a version that the radar has not looked at, its template, and its skeleton."""
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
_TOLD = (
    update(table_of(ShapeMemberRow))
    .where(_MEMBER.template == bindparam("of"), _MEMBER.number == bindparam("its"))
    .values(told=bindparam("at"))
)
_MOST_MEMBERS = 15_000
"""The most of a template, which a run reads and compares; what comes after them is not followed."""


def template_facet(template_id: str) -> int:
    """Return by which number the shapes of a template are found, 0 of no template."""
    return facet(Kind.TEMPLATE, template_id) if template_id else 0


def queue(session: Session, version: VersionRow) -> None:
    """Let the radar look at the version that became current, in the caller's transaction."""
    made_at = version.received_at if version.is_from_future else version.event_at or version.received_at
    its = {"template": 0, "version": version.version, "made_at": made_at, "members": None}
    put = upsert(session, ShapeRow).values(reference=version.reference, **its)
    session.connection().execute(put.on_conflict_do_update(index_elements=["reference"], set_=its))


def due(most: int) -> Iterator[Due]:
    """Yield the archives that the radar has not looked at, as Cellosign made them: so old ones come before new ones
    also where all are loaded anew.
    """
    with reading() as session:
        its = session.connection().execute(_DUE.limit(most), execution_options={"yield_per": _SKELETONS_AT_ONCE})
        with its as found:  # the block closes the cursor, also if the caller stops early
            yield from found


def lock(session: Session) -> None:
    """Let others wait that number members or find changes, until the transaction ends."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE shape_member IN SHARE ROW EXCLUSIVE MODE"))


def members(session: Session, template_id: str) -> list[ShapeMemberRow]:
    """Return the members of a template, by number."""
    its = select(ShapeMemberRow).where(col(ShapeMemberRow.template) == template_facet(template_id))
    return list(session.scalars(its.order_by(col(ShapeMemberRow.number))))


def take_in(session: Session, template_id: str, found: Sequence[tuple[Due, Members]]) -> None:
    """Write the shapes of archives of a template, and its members that are new. An archive that was erased, looked at
    or loaded anew meanwhile is left out.
    """
    lock(session)
    known, template, rows = members(session, template_id), template_facet(template_id), list[dict[str, Any]]()
    by_member, choices = {(each.path, each.type): each for each in known}, Counter(map(_choice, known))
    references = [each.reference for each, _ in found]
    due = select(_SHAPE.reference, _SHAPE.version).where(_SHAPE.reference.in_(references), _SHAPE.members.is_(None))
    rows_left = session.connection().execute(due.with_for_update(skip_locked=True))
    left = {(each.reference, each.version) for each in rows_left}
    for of, its in ((of, its) for of, its in found if (of.reference, of.version) in left):
        bits = 0
        for (path, type_), (parent, place) in its.items():
            row = by_member.get((path, type_))
            first = {"place": place, "reference": of.reference, "first_at": of.made_at}
            if row is None:
                what = {"template_id": template_id, "path": path, "parent": parent, "type": type_}
                row = ShapeMemberRow.model_validate({"template": template, "number": len(by_member), **what, **first})
                if len(by_member) == _MOST_MEMBERS or (_choice(row) and choices[path] == MOST_CHOICES):
                    continue
                choices[_choice(row)] += 1
                by_member[path, type_] = row
                session.add(row)
            elif of.made_at < row.first_at:
                row.sqlmodel_update({"first_at": of.made_at} if row.code == DriftCode.VANISHED else first)
            bits |= 1 << row.number
        kept = bits.to_bytes((bits.bit_length() + 7) // 8, "little")
        rows.append({"its": of.reference, "by": template, "found": kept})
    if rows:
        session.connection().execute(_LOOKED_AT, rows)


def _choice(member: ShapeMemberRow) -> str:
    """Return the path of a choice, nothing of another member."""
    return member.path if member.type.startswith(CHOICE) else ""


def newest(session: Session, template_id: str) -> list[Shape]:
    """Return the shapes of the newest archives of a template, the newest first."""
    its = _SHAPE.template == template_facet(template_id), _SHAPE.members.is_not(None)
    found = select(_SHAPE.reference, _SHAPE.made_at, _SHAPE.members).where(*its)
    rows = session.connection().execute(found.order_by(_SHAPE.made_at.desc(), _SHAPE.reference.desc()).limit(WINDOW))
    return [Shape(each.reference, each.made_at, int.from_bytes(each.members, "little")) for each in rows]


def redact(session: Session, reference: str, digest: str) -> None:
    """Take an archive out of the examples, and with it the names that no other of the newest archives has."""
    lock(session)
    rows = session.scalars(select(ShapeMemberRow).where(_MEMBER.reference == reference)).all()
    left = {
        of: reduce(or_, (each.bits for each in newest(session, of) if each.reference != reference), 0)
        for of in {each.template_id for each in rows}
    }
    for each in rows:
        each.reference = digest
        if not left[each.template_id] >> each.number & 1:
            each.path = each.place = each.parent = f"erased-{each.number}"
            each.code, each.since, each.is_open = None, None, False


def untold(session: Session) -> list[ShapeMemberRow]:
    """Return the open findings that no event has told, template by template."""
    its = select(ShapeMemberRow).where(_MEMBER.is_open, _MEMBER.since.is_distinct_from(_MEMBER.told))
    return list(session.scalars(its.order_by(_MEMBER.template, _MEMBER.number)))


def set_told(session: Session, rows: Sequence[ShapeMemberRow]) -> None:
    """Record up to which change an event reports these findings. The next event reports later changes."""
    session.connection().execute(_TOLD, [{"of": each.template, "its": each.number, "at": each.since} for each in rows])
