"""Conditions on `ArchiveRow`: whether a person should look at an archive, by the rows of all tables that can say so."""

from typing import Any

from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import SQLModel, col, exists

from models.archive.archive import ArchiveRow, State
from models.archive.warning import WarningRow
from models.payments.discrepancy import DiscrepancyRow, DiscrepancyState
from models.runs.receipt import DeliveryRow
from models.runs.refused import RefusedRow
from models.store.condition import ConditionRow, Subject

SOURCES_DIFFER = exists().where(
    col(DeliveryRow.reference) == col(ArchiveRow.reference), col(DeliveryRow.source) != col(ArchiveRow.source)
)


def _has(table: type[SQLModel], *conditions: Any) -> ColumnElement[bool]:
    columns = SQLModel.metadata.tables[str(table.__tablename__)].c
    return exists().where(columns.reference == ArchiveRow.reference, *conditions)


_ACCEPTED_LATER = exists().where(
    col(DeliveryRow.reference) == col(RefusedRow.reference),
    col(DeliveryRow.received_at) >= col(RefusedRow.received_at),
)
IS_OPEN = and_(col(RefusedRow.released_at).is_(None), col(RefusedRow.dismissed_at).is_(None), ~_ACCEPTED_LATER)
"""The condition that a refused delivery needs a person: nobody released or dismissed it, and its process has not been
accepted since. A body that names no process stays open until a person dismisses it.
"""
HAS_CONDITION = exists().where(
    col(ConditionRow.kind) == Subject.ARCHIVE, col(ConditionRow.subject) == col(ArchiveRow.reference)
)
NEEDS_ATTENTION = or_(
    col(ArchiveRow.state) == State.FAILED,
    HAS_CONDITION,
    _has(WarningRow),
    SOURCES_DIFFER,
    _has(DiscrepancyRow, col(DiscrepancyRow.state) == DiscrepancyState.OPEN),
    _has(RefusedRow, IS_OPEN),
)
