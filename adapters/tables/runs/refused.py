"""Refused deliveries in the database, and the groups in which messages report them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, exists, func, or_, select, update

from adapters.database.noted import note
from adapters.database.transactions import read_all, read_first, reading, upsert, writing
from adapters.search import entries
from adapters.search.attention import IS_DISMISSED, IS_FOREIGN, IS_OPEN
from adapters.search.pages import matching
from adapters.tables.erased import erased
from domain.search import facet
from domain.words.catalogue import warned, word
from models.archive.archive import ArchiveRow, WarningCode
from models.messages.notification import EventRow, EventType
from models.runs.receipt import DeliveryRow, ReceiptRow, RefusedDelivery, RefusedRow
from models.search import Kind

_COLUMNS = {each.name for each in fields(RefusedDelivery)}
_SOURCES_DIFFER = facet(Kind.SOURCES, WarningCode.SOURCES_DIFFER)
_DECIDED = ("released_at", "dismissed_at", "dismissed_by", "dismissed_why", "withdrawn_at")


def record(deliveries: Sequence[RefusedDelivery], digests: Mapping[str, Sequence[str]] | None = None) -> dict[str, str]:
    """Record refused deliveries, and return those of erased archives, which are not recorded: their ids, with the
    digests of the tombstones. A repetition changes nothing, except that a person may have released or dismissed one.

    Each archive has a transaction of its own: with many entries locked at once, this and others could wait for each
    other in a circle. The caller repeats a recording that was broken off.

    Args:
        digests: by what each may be known as one of an erased archive, by its id; none while the key is away.

    Raises:
        Transient: something was erased, and the digests are not known.
    """
    named = {each.reference for each in deliveries if each.reference is not None}
    with writing() as session:
        gone = erased(session, digests or {}, named)
        kept = [each for each in deliveries if each.delivery_id not in gone]
        new = upsert(session, RefusedRow)
        decided = {name: func.coalesce(new.excluded[name], getattr(RefusedRow, name)) for name in _DECIDED}
        again = new.on_conflict_do_update(index_elements=["delivery_id"], set_=decided)
        if kept:
            session.connection().execute(again, [asdict(each) for each in kept])
    for reference in sorted({each.reference for each in kept if each.reference is not None}):
        with writing() as session:
            entries.await_adding(session, reference)
            entries.set_attention(session, reference)
    return gone


def newest_of(reference: str) -> RefusedDelivery | None:
    """Return the newest refused delivery that names a process."""
    found = select(RefusedRow).where(RefusedRow.reference == reference)
    row = read_first(found.order_by(col(RefusedRow.received_at).desc()))
    return _delivery(row) if row else None


def of_bodies(receipt_ids: Collection[str]) -> list[RefusedDelivery]:
    """Return the refused deliveries of bodies, newest first."""
    return _found(col(RefusedRow.receipt_id).in_(receipt_ids))


def dismissed_at(by: str, at: datetime) -> list[RefusedDelivery]:
    """Return what a person dismissed at a moment."""
    return _found(IS_DISMISSED, RefusedRow.dismissed_at == at, RefusedRow.dismissed_by == by)


def _found(*conditions: Any) -> list[RefusedDelivery]:
    found = select(RefusedRow).where(*conditions).order_by(col(RefusedRow.received_at).desc())
    return [_delivery(row) for row in read_all(found)]


def set_aside(
    source: str | None = None, most: int | None = None, which: Collection[ColumnElement[bool]] = ()
) -> list[RefusedDelivery]:
    """Return the deliveries of other sources that wait for a person, newest first, in the form of refused ones.

    Archives with this warning are found by the search: comparing all deliveries with their archives takes seconds.

    Args:
        source: the source that sent them, or that of their processes: both have to know; None: any.
        most: how many are returned; None: all.
        which: conditions on deliveries and their archives.
    """
    owned = select(DeliveryRow, ReceiptRow, ArchiveRow).where(
        DeliveryRow.reference == ArchiveRow.reference,
        DeliveryRow.receipt_id == ReceiptRow.receipt_id,
        IS_FOREIGN,
        *which,
    )
    if source is not None:
        owned = owned.where(or_(DeliveryRow.source == source, ArchiveRow.source == source))
    with reading() as session:
        owned = owned.where(*matching(session, [_SOURCES_DIFFER], ()))
        return [_aside(*each) for each in session.exec(owned.order_by(col(DeliveryRow.delivery_id).desc()).limit(most))]


def _aside(row: DeliveryRow, receipt: ReceiptRow, archive: ArchiveRow) -> RefusedDelivery:
    both = {"owner": archive.source, "other": row.source}
    said = warned(WarningCode.SOURCES_DIFFER, both)
    return RefusedDelivery(
        row.delivery_id, row.receipt_id, row.received_at, receipt.size_bytes, WarningCode.SOURCES_DIFFER, "",
        word(said), row.reference, archive.process_number, source=row.source, values=both | {"reason": said.as_json()},
    )  # fmt: skip


def open_codes(session: Session, source: str) -> dict[str, int]:
    """Return how many refused deliveries of a source need a person, by code, the most first."""
    code, number = col(RefusedRow.code), func.count()
    grouped = select(code, number).where(IS_OPEN, RefusedRow.source == source).group_by(code)
    return dict(session.exec(grouped.order_by(number.desc(), code)).all())


def put_into_group(group: str, now: datetime) -> None:
    """Put the deliveries that are in no group into a group. One that a person has dealt with before needs no report."""
    dealt_with = col(RefusedRow.released_at).is_not(None) | IS_DISMISSED
    dealt_with |= col(RefusedRow.code) == WarningCode.SOURCES_DIFFER  # accepted, and set aside
    ungrouped = (col(RefusedRow.notified_at).is_(None), ~dealt_with)
    with writing() as session:
        session.execute(update(RefusedRow).where(*ungrouped).values(notified_at=now, message=group))
        note(session, RefusedRow, col(RefusedRow.message) == group)


def groups_without_event(since: datetime) -> list[tuple[str, datetime]]:
    """Return the groups since a time that are no events yet, each with its time, oldest first."""
    group, grouped_at = col(RefusedRow.message), col(RefusedRow.notified_at)
    told = exists().where(col(EventRow.receipt_id) == group, col(EventRow.type) == EventType.DELIVERY_REFUSED)
    found = select(group, grouped_at).where(grouped_at > since, ~told).distinct().order_by(grouped_at)
    return [(name, at) for name, at in read_all(found) if name and at]


@dataclass(frozen=True, slots=True)
class Group:
    """What a message says about a group: the newest delivery of each body, newest first, and numbers of deliveries."""

    newest: Sequence[RefusedDelivery]
    by_code: Mapping[str, int]
    first_at: datetime


def group(message: str, limit: int) -> Group:
    """Return a group, with the deliveries of up to `limit` bodies. A group never changes."""
    code, received_at, receipt_id = col(RefusedRow.code), col(RefusedRow.received_at), col(RefusedRow.receipt_id)
    theirs = RefusedRow.message == message
    last_of_each = select(func.max(RefusedRow.delivery_id)).where(theirs).group_by(receipt_id)
    last_of_each = last_of_each.order_by(func.max(received_at).desc(), receipt_id).limit(limit)
    with reading() as session:
        counts = session.exec(select(code, func.count()).where(theirs).group_by(code).order_by(code)).all()
        first = session.exec(select(RefusedRow).where(theirs).order_by(received_at).limit(1)).one()
        last_ids = session.exec(last_of_each).all()
        rows = session.exec(select(RefusedRow).where(col(RefusedRow.delivery_id).in_(last_ids))).all()
    newest = sorted(map(_delivery, rows), key=lambda each: (each.received_at, each.delivery_id), reverse=True)
    return Group(newest, dict(counts), first.received_at)


def _delivery(row: RefusedRow) -> RefusedDelivery:
    return RefusedDelivery(**row.model_dump(include=_COLUMNS) | {"values": row.values or {}})
