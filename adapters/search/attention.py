"""Conditions on `ArchiveRow`: whether a person should look at an archive, by the rows of all tables that can say so."""

from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import SQLModel, col, exists

from models.archive.archive import ArchiveRow, State, WarningCode, WarningRow
from models.columns import table_of
from models.discrepancies import DiscrepancyRow, DiscrepancyState
from models.runs.receipt import DeliveryRow, RefusedRow, VersionRow
from models.store.condition import ConditionRow, Subject


def _has(table: type[SQLModel], *conditions: Any) -> ColumnElement[bool]:
    columns = table_of(table).c
    return exists().where(columns.reference == ArchiveRow.reference, *conditions)


_LATER = aliased(DeliveryRow)
_REPEATS = (
    col(_LATER.receipt_id) == col(DeliveryRow.receipt_id),
    col(_LATER.delivery_id) > col(DeliveryRow.delivery_id),
)
_IS_OWN = col(_LATER.source) == col(ArchiveRow.source)
_IS_ACCEPTED = exists().where(*_REPEATS, _IS_OWN).correlate(DeliveryRow, ArchiveRow)
IS_DISMISSED = and_(
    col(RefusedRow.dismissed_at).is_not(None),
    or_(col(RefusedRow.withdrawn_at).is_(None), col(RefusedRow.withdrawn_at) < col(RefusedRow.dismissed_at)),
)
_IS_LEFT_ASIDE = exists().where(col(RefusedRow.delivery_id) == col(DeliveryRow.delivery_id), IS_DISMISSED)
IS_FOREIGN = and_(col(DeliveryRow.source) != col(ArchiveRow.source), ~_IS_ACCEPTED, ~_IS_LEFT_ASIDE)
"""The condition that a delivery waits for a person: another source than that of the process has sent it. The source of
the process has not sent the same body since, and nobody has accepted or dismissed it.
"""
_AFTER = aliased(VersionRow)
_AT = func.coalesce(col(VersionRow.event_at), col(VersionRow.received_at))
_AFTER_AT = func.coalesce(col(_AFTER.event_at), col(_AFTER.received_at))
_IS_AHEAD = (
    col(VersionRow.receipt_id) == col(ArchiveRow.current_receipt_id),
    *(~col(VersionRow.is_from_future), ~col(_AFTER.is_from_future), ~col(_AFTER.is_set_aside)),
    *(col(_AFTER.reference) == col(VersionRow.reference), col(_AFTER.received_at) > col(VersionRow.received_at)),
    *(col(VersionRow.received_at) <= _AT, _AFTER_AT < _AT),
)
_VERSIONS: tuple[Any, ...] = (
    *(col(VersionRow.version), _AT.label("event_at"), col(_AFTER.version).label("later"), _AFTER_AT.label("later_at")),
)
_SOURCES: tuple[Any, ...] = (col(ArchiveRow.source).label("owner"), col(DeliveryRow.source).label("other"))
_IS_TWICE = (col(DeliveryRow.reference) == col(ArchiveRow.reference), IS_FOREIGN)
BOTH = {
    WarningCode.SOURCES_DIFFER: select(*_SOURCES).where(*_IS_TWICE).order_by(col(DeliveryRow.delivery_id)).limit(1),
    WarningCode.VERSION_AHEAD: select(*_VERSIONS).where(*_IS_AHEAD).order_by(col(_AFTER.version)).limit(1),
}
"""What a warning is between: the source of a process, and the first other that has sent it; or the current version, and
the first later arrival that has lost to it, by a time that lay ahead when the current version arrived.
"""
OF_DELIVERIES: dict[WarningCode, ColumnElement[bool]] = {
    WarningCode.SOURCES_DIFFER: _has(DeliveryRow, IS_FOREIGN),
    WarningCode.VERSION_AHEAD: _has(VersionRow, *_IS_AHEAD),
    WarningCode.VERSION_FROM_FUTURE: _has(VersionRow, col(VersionRow.is_from_future)),
}
"""The warnings that follow from what has arrived. All others are of the payload, and have rows."""
IS_WARNED = or_(_has(WarningRow), *OF_DELIVERIES.values())
_ACCEPTED_LATER = exists().where(
    col(DeliveryRow.reference) == col(RefusedRow.reference), col(DeliveryRow.received_at) >= col(RefusedRow.received_at)
)
IS_OPEN = and_(col(RefusedRow.released_at).is_(None), ~IS_DISMISSED, ~_ACCEPTED_LATER)
"""The condition that a refused delivery needs a person: nobody released or dismissed it, and its process has not been
accepted since. A body that names no process stays open until a person dismisses it.
"""
HAS_CONDITION = exists().where(
    col(ConditionRow.kind) == Subject.ARCHIVE, col(ConditionRow.subject) == col(ArchiveRow.reference)
)
NEEDS_ATTENTION = or_(
    col(ArchiveRow.state) == State.FAILED,
    HAS_CONDITION,
    IS_WARNED,
    _has(DiscrepancyRow, col(DiscrepancyRow.state) == DiscrepancyState.OPEN),
    _has(RefusedRow, IS_OPEN),
)
